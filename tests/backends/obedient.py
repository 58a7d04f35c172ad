"""Does at each task what the task's data asks for, and answers with the task's own token, so that mix-ups show.

`do` is one of the methods of `Orders`; `gate` a file to wait for. CALLS names a file that gets a line for each call
of predict(). While the file named by BROKEN exists the process ends where BROKEN_AT says: import, setup or predict.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

from label_studio_ml.model import LabelStudioMLBase

Task = dict[str, Any]
leaked: list[bytes] = []


def break_at(place: str) -> None:
    if os.environ.get("BROKEN_AT") == place and Path(os.environ["BROKEN"]).exists():
        os._exit(9)


break_at("import")


class Unpicklable(Exception):
    def __init__(self) -> None:
        super().__init__("no pickle can hold this", threading.Lock(), lambda: None)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even its message can be had")


class StopTasks(Exception):
    """A generator is to end here, as if there were no more tasks."""


class Orders:
    """What a task may ask for."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def obey(self) -> int:
        """Do it; how many results the task gets, normally one."""
        order = self._data.get("do")
        results: int | None = getattr(self, order)() if order else None
        return 1 if results is None else results

    # --- errors ---

    def complain(self) -> None:
        raise ValueError("the inside of the model")

    def complain_unpicklably(self) -> None:
        raise Unpicklable

    def complain_unprintably(self) -> None:
        raise Unprintable

    def interrupt(self) -> None:
        raise KeyboardInterrupt  # no Exception, as some libraries have them

    def cancel(self) -> None:
        raise asyncio.CancelledError

    def answer_never(self) -> int:
        return 0

    def answer_twice(self) -> int:
        return 2

    def stop(self) -> None:
        raise StopTasks

    # --- ends ---

    def exit(self) -> None:
        os._exit(7)

    def segfault(self) -> None:
        ctypes.string_at(0)

    def hang(self) -> None:
        threading.Event().wait()

    def hang_holding_the_gil(self) -> None:
        ctypes.PyDLL(None).pause()

    # --- bad manners ---

    def leak(self) -> None:
        leaked.append(os.urandom(1) * (self._data["megabytes"] * 2**20))

    def chatter(self) -> None:
        for _ in range(self._data["megabytes"]):
            print(("a word to the log " * 500 + "\n") * 116, end="")

    def close_stdin_and_stdout(self) -> None:
        for stream in (sys.stdin, sys.stdout):
            if stream is not None:
                stream.close()
        for fd in (0, 1):
            with contextlib.suppress(OSError):
                os.close(fd)

    def start_children(self) -> None:
        subprocess.Popen(["sleep", "1000"])
        if os.fork() == 0:  # as multiprocessing does: the child has every file and socket of this process open
            while True:
                time.sleep(1000)


def waits(data: dict[str, Any]) -> bool:
    """Whether the task has to wait still; tells whoever watches that its turn has come."""
    gate = data.get("gate")
    if not gate:
        return False
    Path(f"{gate}.entered").touch()
    return not Path(gate).exists()


def wait_opened(data: dict[str, Any]) -> None:
    while waits(data):
        time.sleep(0.01)


async def opened(data: dict[str, Any]) -> None:
    while waits(data):  # noqa: ASYNC110 - a file, so that the test can open it
        await asyncio.sleep(0.01)


def result(task: Task, calls: int) -> dict[str, Any]:
    return {
        "result": [],
        "score": 0.5,
        "token": task["data"].get("token"),
        "pid": os.getpid(),
        "device": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "calls": calls,
    }


class Obedient(LabelStudioMLBase):
    def setup(self) -> None:
        break_at("setup")
        self.calls = 0

    def begin(self, tasks: list[Task]) -> None:
        self.calls += 1
        if path := os.environ.get("CALLS"):
            line = json.dumps({"pid": os.getpid(), "tokens": [task["data"].get("token") for task in tasks]})
            with Path(path).open("a") as calls:
                calls.write(line + "\n")
        break_at("predict")

    def predict(
        self, tasks: list[Task], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        self.begin(tasks)
        results = []
        for task in tasks:
            wait_opened(task["data"])
            results += [result(task, self.calls)] * Orders(task["data"]).obey()
        return results

    def fit(self, annotations: Iterable[Task], workdir: str = "", **kwargs: Any) -> dict[str, Any]:
        return {"annotated": sum(1 for task in annotations if task["annotations"])}


class Streaming(Obedient):
    def predict(  # type: ignore[override]
        self, tasks: list[Task], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        self.begin(tasks)
        for task in tasks:
            wait_opened(task["data"])
            try:
                results = Orders(task["data"]).obey()
            except StopTasks:
                return
            for _ in range(results):
                yield result(task, self.calls)


class Concurrent(Obedient):
    async def predict(  # type: ignore[override]
        self, tasks: list[Task], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        self.begin(tasks)
        results = []
        for task in tasks:
            await opened(task["data"])
            results += [result(task, self.calls)] * Orders(task["data"]).obey()
        return results


class ConcurrentStreaming(Obedient):
    async def predict(  # type: ignore[override]
        self, tasks: list[Task], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        self.begin(tasks)
        for task in tasks:
            await opened(task["data"])
            try:
                results = Orders(task["data"]).obey()
            except StopTasks:
                return
            for _ in range(results):
                yield result(task, self.calls)
