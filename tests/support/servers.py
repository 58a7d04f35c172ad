"""Our server as a person starts it: the real command, on a real port, in processes of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx

from label_studio_ml.processes import guard
from scripts.processes import Process, free_port, wait_until
from tests.support import local_http

COMMAND = Path(sysconfig.get_path("scripts")) / "label-studio-ml"


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which none of our settings is set, plus what is given; it imports what the tests import."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | dict(extra or {})


def run_command(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run `label-studio-ml …` to its end, and collect what it says.

    Args:
        arguments: what follows the command's name, as in `"doctor", server.url`.
        cwd: where it runs; default: where the tests run.
        env: settings in its environment, which has none else.
        timeout: seconds it may take.
    """
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=cwd,
        env=clean_environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


class ServerProcess(Process):
    """`label-studio-ml start <source>` on a free port."""

    def __init__(
        self, source: Path | str, *options: str, state: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """Start it. `state` holds the model folder and the log: a second start there continues the first."""
        state.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.model_dir = state / "model-data"
        location = ("--host", "127.0.0.1", "--port", str(self.port), "--model-dir", str(self.model_dir))
        super().__init__(
            [COMMAND, "start", source, *location, *options],
            cwd=state,
            env=clean_environment(env),
            log_file=state / "server.log",
        )

    def children(self) -> set[int]:
        """The living processes that run the author's code, and what that has started; not the guard."""
        return {pid for pid in super().children() if not _is_guard(pid)}

    def client(self, auth: tuple[str, str] | None = None) -> httpx.Client:
        """A client whose calls are relative to the server's address."""
        return local_http.client(self.url, auth=auth)

    def is_answering(self) -> bool:
        """Whether `/health` answers right now."""
        try:
            return local_http.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False

    def wait_healthy(self, timeout: float = 60) -> None:
        """Wait until `/health` answers.

        Raises:
            RuntimeError: the command ended instead; the message shows its log.
        """

        def answering() -> bool:
            if self.exit_code is not None:
                raise RuntimeError(f"the server ended with {self.exit_code}:\n{self.log[-5000:]}")
            return self.is_answering()

        wait_until(answering, timeout, f"the server to be healthy at {self.url}")


def _is_guard(pid: int) -> bool:
    try:
        return guard.WATCH.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


StartServer = Callable[..., ServerProcess]
"""Starts a server by its source, options and environment variables, and returns it once it answers."""


@contextlib.contextmanager
def servers(state: Path) -> Iterator[StartServer]:
    """Give a way to start servers that all keep their state in one place, and end them afterwards.

    Their log is printed then, so that pytest shows it beside a failure.
    """
    started: list[ServerProcess] = []

    def start(source: Path | str, *options: str, **env: str) -> ServerProcess:
        server = ServerProcess(source, *options, state=state, env=env)
        started.append(server)
        server.wait_healthy()
        return server

    try:
        yield start
    finally:
        for server in started:
            server.kill_family()
        if started:
            print(started[-1].log)
