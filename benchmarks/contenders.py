"""Who is measured: how each server is started with one of the models, and asked.

`OURS` is the server of this repository, `BARE` the upper limit; the others are peers in environments of their own.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import payloads
from .models import work
from .peers import BENTOML, LEGACY, LITSERVE, MLSERVER, OURS_WITH_MODELS, ROOT, Environment
from .processes import Process, StartError, free_port, running, wait_for

START_SECONDS = 120.0
MODELS = Path(__file__).with_name("models")

Command = Callable[[str, int, Path], list[str]]
"""Interpreter, port and folder for files → the command that serves."""


@dataclass(frozen=True)
class Contender:
    """One server, and how it is used. Without an environment it runs in the one of this process."""

    name: str
    command: Command
    environment: Environment | None = None
    path: str = "/predict"
    body: Callable[[Sequence[work.Task]], bytes] = payloads.label_studio
    needs_setup: bool = False
    batches: bool = False
    """Whether it was told to put several requests into one call."""

    def using(self, *options: str, name: str | None = None, environment: Environment | None = None) -> Contender:
        """The same with further options on its command line."""
        before = self.command
        return replace(
            self,
            name=name or self.name,
            environment=environment or self.environment,
            command=lambda python, port, folder: [*before(python, port, folder), *options],
        )


@dataclass
class Server:
    """A contender that runs and has answered rightly."""

    contender: Contender
    model: str
    port: int
    process: Process
    folder: Path
    bodies: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The contender's."""
        return self.contender.name

    @property
    def url(self) -> str:
        """Where predictions are asked for."""
        return f"http://127.0.0.1:{self.port}{self.contender.path}"

    def post(self, body: bytes, path: str | None = None) -> tuple[int, bytes]:
        """Send one request on a connection of its own; status and body of the reply."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            connection.request("POST", path or self.contender.path, body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            return reply.status, reply.read()

    def get(self, path: str) -> bytes:
        """The body of one reply."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read()

    def check(self, count: int = 8) -> None:
        """Ask for a few predictions, and for a few of several tasks.

        Raises:
            StartError: a reply is not what the model says.
        """
        for number in range(count):
            size = number % 2 * 2 + 1
            tasks = [payloads.task(self.model, payloads.FIRST + number + more) for more in range(size)]
            status, reply = self.post(self.contender.body(tasks))
            if status != 200:
                raise StartError(f"answers {status}: {reply[:200].decode(errors='replace')}")
            expected = [payloads.label(self.model, task) for task in tasks]
            if (found := payloads.answered(reply)) != expected:
                raise StartError(f"answers {found} instead of {expected}")


@contextlib.contextmanager
def serving(contender: Contender, model: str) -> Iterator[Server]:
    """A server with the model loaded, its replies checked, for the time of a `with` block.

    Raises:
        StartError: it does not start, or its replies are wrong.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder, port = Path(name), free_port()
        python = sys.executable if contender.environment is None else str(contender.environment.python)
        command = contender.command(python, port, folder)
        with running(command, _variables(contender, model, folder), folder) as process:
            wait_for(port, process, START_SECONDS)
            server = Server(contender, model, port, process, folder)
            _until_it_predicts(server)
            server.check()
            yield server


def _until_it_predicts(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    body = server.contender.body([payloads.task(server.model, payloads.FIRST)])
    last = ""
    while time.monotonic() < deadline:
        server.process.check()
        try:
            if server.contender.needs_setup:
                server.post(payloads.setup(), "/setup")
            status, reply = server.post(body)
            if status == 200:
                return
            last = f"answers {status}: {reply[:200].decode(errors='replace')}"
        except (OSError, http.client.HTTPException) as error:
            last = f"{type(error).__name__}: {error}"
        time.sleep(0.1)
    raise StartError(f"does not predict after {START_SECONDS:g} s; {last}")


def _variables(contender: Contender, model: str, folder: Path) -> Mapping[str, str]:
    """The environment of the process. Peers see this folder `benchmarks`, but not our package beside it."""
    seen = ROOT
    if contender.environment not in (None, OURS_WITH_MODELS):
        seen = folder / "path"
        seen.mkdir()
        (seen / "benchmarks").symlink_to(ROOT / "benchmarks")
    return {
        **os.environ,
        "PYTHONPATH": str(seen),
        "PYTHONUNBUFFERED": "1",
        "MODEL_DIR": str(folder / "model-data"),
        work.VARIABLE: model,
        # Peers would otherwise report to their makers, which takes time.
        "BENTOML_DO_NOT_TRACK": "true",
        "BENTOML_HOME": str(folder / "bentoml"),
        "LITSERVE_LOG_LEVEL": "WARNING",
    }


# --- the commands ------------------------------------------------------------------------------------------


def _ours(python: str, port: int, folder: Path, module: str = "label_studio_ml.server") -> list[str]:
    options = ["--host", "127.0.0.1", "--port", str(port), "--model-dir", str(folder / "model-data")]
    return [python, "-m", module, "start", str(MODELS / "backend.py"), *options, "--log-level", "WARNING"]


def _bare(python: str, port: int, folder: Path) -> list[str]:  # noqa: ARG001
    return [python, "-m", "benchmarks.models.bare", str(port)]


def _legacy(python: str, port: int, folder: Path) -> list[str]:  # noqa: ARG001
    options = ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "8", "--log-level", "warning"]
    return [python, "-m", "gunicorn", *options, "benchmarks.models.legacy_wsgi:app"]


def _litserve(size: int, python: str, port: int, folder: Path) -> list[str]:  # noqa: ARG001
    return [python, "-m", "benchmarks.models.litserve_server", str(port), str(size)]


def _bentoml(service: str, python: str, port: int, folder: Path) -> list[str]:  # noqa: ARG001
    where = ["--host", "127.0.0.1", "--port", str(port)]
    return [python, "-m", "bentoml", "serve", f"benchmarks.models.bentoml_service:{service}", *where]


def _mlserver(batch: int, python: str, port: int, folder: Path) -> list[str]:
    model = folder / "measured"
    model.mkdir()
    ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    (folder / "settings.json").write_text(
        json.dumps({"host": "127.0.0.1", "debug": False, "parallel_workers": 1, **ports})
    )
    settings = {"name": "measured", "implementation": "benchmarks.models.mlserver_runtime.Runtime"}
    batching = {"max_batch_size": batch, "max_batch_time": 0.005} if batch > 1 else {}
    (model / "model-settings.json").write_text(json.dumps(settings | batching))
    return [python, "-c", "from mlserver.cli import main; main()", "start", str(folder)]


OURS = Contender("ours", _ours, needs_setup=True, batches=True)
WITHOUT_METRICS = replace(
    OURS, name="ours without metrics", command=functools.partial(_ours, module="benchmarks.without_metrics")
)
BARE = Contender("bare ASGI function", _bare)

PEERS = (
    Contender("LitServe", functools.partial(_litserve, 1), LITSERVE),
    Contender("BentoML", functools.partial(_bentoml, "Plain"), BENTOML),
    Contender("label-studio-ml 1.0.9", _legacy, LEGACY, needs_setup=True),
    Contender("MLServer", functools.partial(_mlserver, 1), MLSERVER),
)
"""Each request by itself."""

BATCHING_PEERS = (
    Contender("LitServe", functools.partial(_litserve, 32), LITSERVE, batches=True),
    Contender("BentoML", functools.partial(_bentoml, "Batching"), BENTOML, batches=True),
    Contender("label-studio-ml 1.0.9", _legacy, LEGACY, needs_setup=True),
    Contender(
        "MLServer",
        functools.partial(_mlserver, 32),
        MLSERVER,
        path="/v2/models/measured/infer",
        body=payloads.v2,
        batches=True,
    ),
)
"""With the batching that they offer; label-studio-ml 1.0.9 has none."""
