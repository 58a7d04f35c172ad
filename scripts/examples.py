"""The example backends at work: `python -m scripts.examples test [NAME …]`, `… speed NAME`.

- `test` runs the tests of each example in a folder that was made of it, as a user would.
- `speed` measures what its README and `example.json` say: tasks a second with one worker, one by one and together.

Each group of examples has a virtual environment in `.venv-examples/`, made anew when their requirements change.
"""

# ruff: noqa: T201 - it talks to a person

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from label_studio_ml.scaffold import examples
from label_studio_ml.scaffold.examples import Example
from label_studio_ml.scaffold.write import NO_DEPS, create_from_example
from scripts.label_studio import Json, LabelStudio
from scripts.processes import Process, free_port, wait_until

ROOT = Path(__file__).resolve().parents[1]
VENVS = ROOT / ".venv-examples"
SAMPLES = "requirements-samples.txt"
"""What the sample data of an example need, beside what it needs itself."""

SAMPLES_NO_DEPS = "requirements-samples-no-deps.txt"
"""The same, without their own dependencies."""

SAMPLE_SERVER = "sample_server.py"
"""What an example asks: it prints the environment for the backend as JSON, and serves until it is ended."""

LEARNED = 30
"""Tasks that a model learns from before its speed is measured."""


def environment(group: str) -> Path:
    """The Python of a group's virtual environment, with everything that its examples and their tests need."""
    members = [one for one in examples.catalogue() if one.group == group]
    files = [one.folder / name for name in ("requirements.txt", SAMPLES) for one in members]
    files = _existing(files)
    bare = _existing(one.folder / name for name in (NO_DEPS, SAMPLES_NO_DEPS) for one in members)
    wanted = hashlib.sha256()
    for file in (ROOT / "pyproject.toml", *files, *bare):
        wanted.update(file.read_bytes())
    venv = VENVS / group
    python, stamp = venv / "bin" / "python", venv / ".installed-for"
    if not stamp.exists() or stamp.read_text() != wanted.hexdigest():
        print(f"Installing what the examples of group {group} need …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        together = [argument for file in files for argument in ("-r", str(file))]
        subprocess.run([*pip, "-e", str(ROOT), "pytest", "pytest-timeout", *together], check=True)
        for file in bare:
            subprocess.run([*pip, "--no-deps", "-r", str(file)], check=True)
        stamp.write_text(wanted.hexdigest())
    return python


def _existing(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.exists()]


# --- samples -------------------------------------------------------------------------------------------------


def samples(example: Example, folder: Path) -> list[Json]:
    """Write the example's sample data into a folder; tasks with `data` and, where it is known, `answer`."""
    python = environment(example.group)
    subprocess.run(
        [python, example.folder / "sample_data.py", folder.absolute()], check=True, stdout=subprocess.DEVNULL
    )
    found: list[Json] = json.loads((folder / "tasks.json").read_text())
    return found


def scores(example: Example, pairs: Sequence[tuple[list[Json], list[Json]]]) -> list[float]:
    """How right predictions are, each (result, answer), as the example itself counts it: from 0 to 1."""
    code = "import json, sys, sample_data; print([sample_data.score(*pair) for pair in json.load(sys.stdin)])"
    found = subprocess.run(
        [environment(example.group), "-c", code],
        cwd=example.folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        input=json.dumps(list(pairs)),
        capture_output=True,
        text=True,
        check=True,
    )
    numbers: list[float] = json.loads(found.stdout)
    return numbers


def published(label_studio: LabelStudio, project: int, tasks: Sequence[Json], folder: Path) -> list[Json]:
    """The data of tasks, with files of the folder uploaded and replaced by their addresses."""
    addresses: dict[str, str] = {}

    def address(value: Any) -> Any:
        if not is_file(folder, value):
            return value
        if value not in addresses:
            addresses[value] = label_studio.publish(project, Path(value).name, (folder / value).read_bytes())
        return addresses[value]

    return [{name: address(value) for name, value in task["data"].items()} for task in tasks]


def is_file(folder: Path, value: Any) -> bool:
    """Whether a value of a task's data names a file of the folder."""
    return isinstance(value, str) and 0 < len(value) < 200 and (folder / value).is_file()


# --- a server ------------------------------------------------------------------------------------------------


class Server:
    """`label-studio-ml start` with an example, in the environment of its group."""

    def __init__(self, example: Example, folder: Path, port: int, log_file: Path, *options: str) -> None:
        """Start it in a folder made from the example, unless the folder is there already."""
        command = environment(example.group).with_name("label-studio-ml")
        if not folder.exists():
            create_from_example(folder, example)
        self.url = f"http://localhost:{port}"
        given, self._asked = _sample_server(example)
        self.process = Process(
            [command, "start", folder, "--port", str(port), *options],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **given},
            log_file=log_file,
        )
        wait_until(self._listens, 60, f"{example.name} to listen on port {port}")

    def stop(self) -> None:
        """End it, and what it asks."""
        self.process.stop()
        if self._asked is not None:
            self._asked.terminate()
            self._asked.wait(10)

    def _listens(self) -> bool:
        if self.process.exit_code is not None:
            raise SystemExit(f"The backend did not start:\n{self.process.log[-2000:]}")
        try:
            return bool(self.call("/health")["status"] == "UP")
        except OSError:
            return False

    def call(self, path: str, body: object = None) -> Any:
        """One call, answered with JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=600) as reply:  # noqa: S310 - our own server
            return json.load(reply)

    def learned(self, job: str) -> bool:
        """Whether a job is over."""
        found = self.call(f"/jobs/{job}")
        if found["state"] in ("failed", "cancelled"):
            raise SystemExit(f"The training {found['state']}: {found['error']}")
        return bool(found["state"] == "finished")


def _sample_server(example: Example) -> tuple[dict[str, str], subprocess.Popen[str] | None]:
    """What an example asks, started, and the environment that says where it is."""
    if not (example.folder / SAMPLE_SERVER).exists():
        return {}, None
    command = [environment(example.group), example.folder / SAMPLE_SERVER]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None  # noqa: S101 - for mypy
    return json.loads(process.stdout.readline()), process


@contextmanager
def serving(example: Example, *options: str) -> Iterator[tuple[Server, list[Json], Path]]:
    """A server with an example, its sample tasks, and the folder that these are in."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks = samples(example, folder / "samples")
        root = ("--local-files-document-root", str(folder / "samples"))
        server = Server(example, folder / "backend", free_port(), folder / "log", *root, *options)
        try:
            yield server, tasks, folder / "samples"
        finally:
            server.stop()


# --- what one can ask for ------------------------------------------------------------------------------------


def test(names: Sequence[str]) -> bool:
    """Run the tests of examples, as many at once as there are cores; whether all passed."""
    chosen = [examples.find(name) for name in names] or examples.catalogue()
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(environment, sorted({one.group for one in chosen})))
        outcomes = list(threads.map(tested, sorted(chosen, key=lambda one: one.name)))
    print("\n".join(outcomes))
    return not any("FAILED" in outcome for outcome in outcomes)


def tested(example: Example) -> str:
    """Run the tests of one example in a folder made from it; what came of it. Output comes in one piece."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = create_from_example(Path(name) / "backend", example)
        pytest = [
            str(environment(example.group)),
            "-m",
            "pytest",
            "-q",
            "--timeout",
            "300",
            "-p",
            "no:cacheprovider",
        ]
        run = subprocess.run(
            [*pytest, "test_api.py"],
            cwd=folder,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    print(f"== {example.name}\n{run.stdout}", flush=True)
    return f"{example.name:26}{'FAILED' if run.returncode else 'passed':8}{time.monotonic() - began:6.0f} s"


def speed(name: str, seconds: float) -> None:
    """Measure and print tasks a second, and time a request of one task."""
    example = examples.find(name)
    config = (example.folder / "label_config.xml").read_text()
    with serving(example) as (server, found, folder):
        project = {"id": 1, "label_config": config}
        body = {"project": "1", "label_config": config}
        server.call("/predict", {**body, "tasks": [{"id": 0, "data": {}}]})  # the class is loaded by now
        if example.learns:
            _teach(server, project, [task for task in found if task.get("answer")][:LEARNED], folder)
        tasks = [{"id": number, "data": _local(task["data"], folder)} for number, task in enumerate(found, 1)]
        contexts = [task.get("context") for task in found]

        def ask(some: list[Json], context: Json | None = None) -> float:
            began = time.perf_counter()
            server.call("/predict", {**body, "tasks": some, "params": {"context": context}})
            return time.perf_counter() - began

        ask(tasks[:1], contexts[0])  # some of the work is done only once
        singles: list[float] = []
        began, number = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            place = number % len(tasks)
            singles.append(ask([tasks[place]], contexts[place]))
            number += 1
        single = len(singles) / sum(singles)
        print(f"{example.name}: {single:.3g} tasks/s one by one ({1000 / single:.3g} ms each)", flush=True)
        if not any(contexts):
            batch = (tasks * 64)[: max(len(tasks), min(512, int(single * seconds) or 1))]
            together = max(len(batch) / ask(batch) for _ in range(2))
            print(f"{example.name}: {together:.3g} tasks/s in a request of {len(batch)}")


def _teach(server: Server, project: Json, tasks: Sequence[Json], folder: Path) -> None:
    job = ""
    for number, task in enumerate(tasks, 1):
        annotation = {"id": number, "task": number, "result": task["answer"], "was_cancelled": False}
        whole = {"id": number, "data": _local(task["data"], folder), "annotations": [annotation]}
        event = {"action": "ANNOTATION_CREATED", "project": project, "task": whole, "annotation": annotation}
        job = server.call("/webhook", event).get("job", job)
    job = server.call("/webhook", {"action": "START_TRAINING", "project": project}).get("job", job)
    wait_until(lambda: server.learned(job), 600, "the training")
    wait_until(lambda: not server.call("/is_training?project=1")["is_training"], 60, "the new version to predict")


def _local(data: Json, folder: Path) -> Json:
    """The same data, with files of the folder by their path."""
    return {name: str(folder / value) if is_file(folder, value) else value for name, value in data.items()}


def main() -> int:
    """Do what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["test", "speed"])
    parser.add_argument("names", nargs="*", metavar="NAME", help="examples; all of them if left out")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to measure one by one")
    options = parser.parse_args()
    if options.what == "test":
        return 0 if test(options.names) else 1
    for name in options.names or [one.name for one in examples.catalogue()]:
        speed(name, options.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
