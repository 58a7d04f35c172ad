"""Processes are killed at random points of everything; afterwards nothing is lost, and nothing is left over.

LABEL_STUDIO_ML_FAULT_ROUNDS sets how often (12 by default), LABEL_STUDIO_ML_FAULT_SEED which moments are chosen.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from scripts.processes import wait_until
from tests.support import request_bodies
from tests.support.paths import BACKENDS
from tests.support.servers import ServerProcess, StartServer
from tests.support.store_snapshot import Snapshot, Store

ROUNDS = int(os.environ.get("LABEL_STUDIO_ML_FAULT_ROUNDS", "12"))
SEED = int(os.environ.get("LABEL_STUDIO_ML_FAULT_SEED", "20240229"))
PROJECTS = ("7", "8")
OPTIONS = ("--train-debounce", "0.2s", "--trainer-idle", "1s")
VICTIMS = ("web", "trainer", "worker", "tree")
_pause = threading.Event()  # never set: waiting for it lets a chosen moment come


class Ordeal:
    """One server, killed and started again, and what it promised to whom."""

    def __init__(self, start: StartServer, generation: int, folder: Path, seed: int) -> None:
        self._start, self._generation = start, generation
        self._ledger = folder / "ledger"
        self._random = random.Random(seed)
        self._last_annotation = 0
        self.acknowledged: list[tuple[str, int]] = []
        self.refusals: list[str] = []
        self._versions: dict[str, list[tuple[int, str]]] = {project: [] for project in PROJECTS}
        self._active = dict.fromkeys(PROJECTS, 0)
        self.killed: Counter[str] = Counter()
        self.server = self._start_server()
        self.store = Store(self.server.model_dir)

    def round(self, number: int) -> None:
        """Post events, kill at some moment, start again if need be, wait until quiet, check every promise."""
        victim = self._random.choice(VICTIMS)
        moment, arrived = self._random.choice(list(self._moments().items()))
        delay = self._random.uniform(0, 0.4)
        print(f"round {number}: kill the {victim} {delay:.3f} s after this: {moment}")
        before = self.server
        with ThreadPoolExecutor(1) as pool:
            posting = pool.submit(self._post, self._random.randint(2, 6), random.Random(self._random.random()))
            with contextlib.suppress(TimeoutError):  # it may have passed already; any other moment is as good
                wait_until(arrived, 5, moment)
            _pause.wait(delay)
            self._kill(victim)
            posting.result(timeout=60)
        if before.exit_code is not None:
            self.server = self._start_server()
            wait_until(lambda: not before.family(), 15, "every process of the killed server to be gone")
        else:
            assert not self.refusals, "the web process was not touched, so it accepts every event"
        self.refusals.clear()
        self._wait_quiet()
        self._check(self.store.read())

    def _start_server(self) -> ServerProcess:
        source = BACKENDS / f"ledger_generation{self._generation}.py"
        return self._start(source, *OPTIONS, LEDGER=str(self._ledger))

    def _moments(self) -> dict[str, Callable[[], bool]]:
        known, begun = len(self.acknowledged), self._begun()
        return {
            "an event is acknowledged": lambda: len(self.acknowledged) > known,
            "a job is claimed": lambda: any(job["state"] == "started" for job in self.store.read().jobs),
            "a trainer is started": lambda: bool(self._processes("train.trainer")),
            "fit() begins": lambda: self._begun() > begun,
            "fit() begins once more": lambda: self._begun() > begun + 1,
            "a version waits to be loaded": lambda: any(
                row["state"] == "new" for row in self.store.read().versions
            ),
            "a new worker is started": lambda: len(self._processes("predict.worker")) > 1,
        }

    def _begun(self) -> int:
        return len(self._ledger.read_text().splitlines()) if self._ledger.exists() else 0

    def _processes(self, module: str) -> list[int]:
        mark = f"label_studio_ml.{module}".encode()
        found = []
        for pid in self.server.children():
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return sorted(found)

    def _post(self, count: int, chance: random.Random) -> None:
        with self.server.client() as client:
            for _ in range(count):
                self._last_annotation += 1
                project, annotation = chance.choice(PROJECTS), self._last_annotation
                try:
                    reply = client.post("/webhook", json=request_bodies.annotated(annotation, project))
                except httpx.TransportError as error:
                    self.refusals.append(repr(error))
                    return
                if reply.status_code == 201:
                    self.acknowledged.append((project, annotation))
                else:
                    self.refusals.append(reply.text)
                _pause.wait(chance.uniform(0, 0.15))

    def _kill(self, victim: str) -> None:
        self.killed[victim] += 1
        if victim == "tree":
            self.server.kill_family()
        elif victim == "web":
            self.server.signal(signal.SIGKILL)
            self.server.wait(10)
        else:
            module = {"trainer": "train.trainer", "worker": "predict.worker"}[victim]
            if found := self._processes(module):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._random.choice(found), signal.SIGKILL)
            else:
                self.killed[f"no {victim} to kill"] += 1

    def _wait_quiet(self) -> None:
        wait_until(lambda: self.store.read().quiet, 120, "every event to be trained and every version to be loaded")
        snapshot = self.store.read()
        with self.server.client() as client:
            for project in (row["id"] for row in snapshot.projects):
                name = snapshot.active(project)["name"]
                serves = functools.partial(self._serves, client, project, name)
                wait_until(serves, 60, f"version {name} to predict")

    def _serves(self, client: httpx.Client, project: str, name: str) -> bool:
        announced = client.post("/setup", json=request_bodies.setup(project))
        predicted = client.post("/predict", json=request_bodies.prediction(project))
        return (
            announced.is_success
            and predicted.is_success
            and announced.json()["model_version"] == name
            and predicted.json()["results"][0]["model_version"] == name
        )

    # --- the promises ----------------------------------------------------------------------------------

    def _check(self, snapshot: Snapshot) -> None:
        assert self.store.is_sound()
        ledger = Counter(self._ledger.read_text().splitlines() if self._ledger.exists() else ())
        for project in (row["id"] for row in snapshot.projects):
            stored = snapshot.annotations(project)
            promised = [annotation for of, annotation in self.acknowledged if of == project]
            assert [one for one in stored if one in promised] == promised, "every acknowledged event is stored"
            active = snapshot.active(project)
            assert active["state"] == "ready"
            seen = self.store.value(project, active["number"], "seen") or []
            assert seen == stored, "the active version knows every event once, in the order in which they came"
            if self._generation == 2:
                runs = [ledger[f"{project} {annotation}"] for annotation in stored]
                assert set(runs) <= {1, 2}, "fit() ran once for each event, or twice around a kill"
            self._check_versions(snapshot, project, active["number"])
        assert {job["state"] for job in snapshot.jobs} <= {"finished"}
        assert all(job["attempts"] <= 2 for job in snapshot.jobs)
        wait_until(self._has_no_strangers, 15, "one worker and at most one trainer to be there, and nothing else")

    def _check_versions(self, snapshot: Snapshot, project: str, active: int) -> None:
        found = [(row["number"], row["job_id"]) for row in snapshot.of(project)]
        known = self._versions[project]
        assert found[: len(known)] == known, "versions stay what they were"
        assert [number for number, _ in found] == list(range(1, len(found) + 1)), "numbers only grow"
        assert active >= self._active[project], "nobody went back"
        self._versions[project], self._active[project] = found, active
        assert all(row["state"] == "ready" for row in snapshot.of(project))
        folder = self.server.model_dir / "versions" / project
        kept = {row["workdir"] for row in snapshot.of(project)}
        assert {str(path) for path in (folder.iterdir() if folder.exists() else ())} == kept
        assert all(Path(workdir, "weights").read_text() for workdir in kept)
        assert not list(self.server.model_dir.glob("jobs/*/*.jsonl")), "data of a training goes with it"

    def _has_no_strangers(self) -> bool:
        workers, trainers = self._processes("predict.worker"), self._processes("train.trainer")
        return len(workers) == 1 and len(trainers) <= 1 and self.server.children() == {*workers, *trainers}


@pytest.mark.timeout(90 + 60 * ROUNDS)
@pytest.mark.parametrize("generation", [1, 2])
def test_whatever_is_killed_whenever_nothing_promised_is_lost_and_nothing_is_left_over(
    start_server: StartServer, tmp_path: Path, generation: int
) -> None:
    ordeal = Ordeal(start_server, generation, tmp_path, SEED + generation)

    for number in range(1, (ROUNDS + generation - 1) // 2 + 1):
        ordeal.round(number)

    print(f"{len(ordeal.acknowledged)} events acknowledged; killed: {dict(ordeal.killed)}")
