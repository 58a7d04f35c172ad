"""Does a server that runs for long stay as small as it was? By hand, or as `make soak`: minutes, not seconds.

    python -m benchmarks.soak [--requests 200000] [--clients 16] [--workers 2]

The work of an hour of a busy team, as fast as it goes, bounded by the number of requests: predictions small and
large, clicks, equal requests at once, tasks at which predict() raises, requests that are none, clients that leave,
events; in the first part also trainings and tasks that end their worker, so that in the last part the workers grow
old. Prints the resident memory of every process that lived long, and whether it was flat; every answer is checked.
Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import obedient, request_bodies, server_state
from tests.support.servers import ServerProcess

PROJECTS = ("7", "8", "9")
SAMPLES = 200
WARM_UP, SHORTEST_WARM_UP = 0.2, 1_000
"""Part of a process's life, and requests at least, that are not looked at: it loads, its caches fill."""

UNREST, BETWEEN_UPHEAVALS = 0.4, 5_000
"""Part of the run with trainings and crashes, which replace workers, and how many requests lie between them."""

STEEPEST, MOST = 5.0, 10.0
"""MB per 100 000 requests, and MB in all, by which a process may grow and still be called flat."""

MIX = {
    "one task": 600,
    "some tasks": 150,
    "many tasks": 5,
    "click": 60,
    "equal requests": 30,
    "poison task": 30,
    "nonsense": 40,
    "hang up": 20,
    "event": 20,
    "setup": 20,
    "health": 20,
    "metrics": 5,
}
"""What is asked how often."""


@dataclass(frozen=True)
class Sample:
    """Resident memory in MB of one process when so many requests had been made."""

    done: int
    pid: int
    role: str
    megabytes: float


@dataclass(frozen=True)
class Life:
    """How a process's memory went after its warm-up: MB then and at the end, and MB per 100 000 requests."""

    pid: int
    role: str
    first: int
    last: int
    early: float
    late: float
    slope: float

    @property
    def flat(self) -> bool:
        """Whether it stayed as it was; over a short life a slope says nothing."""
        return self.late - self.early < MOST and (self.slope < STEEPEST or self.late - self.early < 2.0)


@dataclass
class Report:
    """What came out: samples, how often what was asked, and what was wrong with answers."""

    samples: list[Sample] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def lives(self, shortest: int) -> list[Life]:
        """The processes that were there for at least so many requests."""
        found = []
        for pid in dict.fromkeys(sample.pid for sample in self.samples):
            every = [sample for sample in self.samples if sample.pid == pid]
            if every[-1].done - every[0].done >= shortest and every[0].role != "trainer":
                found.append(life(every))
        return found


def life(samples: Sequence[Sample]) -> Life:
    """Look at the samples of one process: the fifth after its warm-up against the last fifth, and the slope."""
    begun = samples[0].done + max(SHORTEST_WARM_UP, WARM_UP * (samples[-1].done - samples[0].done))
    rest = [sample for sample in samples if sample.done >= begun]
    part = max(1, len(rest) // 5)
    early = statistics.median(sample.megabytes for sample in rest[:part])
    late = statistics.median(sample.megabytes for sample in rest[-part:])
    slope = 0.0
    if rest[0].done < rest[-1].done:
        slope = (
            100_000
            * statistics.linear_regression(
                [sample.done for sample in rest], [sample.megabytes for sample in rest]
            ).slope
        )
    return Life(samples[0].pid, samples[0].role, samples[0].done, samples[-1].done, early, late, slope)


class Connection:
    """A keep-alive connection; opened anew when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Make a request and give status and body of the reply."""
        for _ in range(2):  # a connection at rest may have been closed from the other side
            reader, writer = await self._open()
            try:
                writer.write(head(method, path, len(body)) + body)
                return await _reply(reader)
            except (ConnectionError, asyncio.IncompleteReadError):
                await self.close()
        raise ConnectionError(f"{method} {path}: the server hangs up")

    async def hang_up(self, body: bytes, sent: int) -> None:
        """Send so many bytes of a predict request, and leave."""
        _, writer = await self._open()
        writer.write((head("POST", "/predict", len(body)) + body)[:sent])
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        await self.close()

    async def close(self) -> None:
        """Close it."""
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=2**20)
        return self._streams


def head(method: str, path: str, length: int) -> bytes:
    """The head of a request."""
    fields = f"Host: soak\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    return f"{method} {path} HTTP/1.1\r\n{fields}".encode()


async def _reply(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
    return int(lines[0].split()[1]), await reader.readexactly(length)


class Client:
    """One of many: makes requests of all kinds on a connection of its own and checks the answers."""

    def __init__(self, port: int, chance: random.Random, report: Report) -> None:
        self._line, self._other = Connection(port), Connection(port)
        self._chance, self._report = chance, report
        self._kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "one task": lambda: self._predict(1),
            "some tasks": lambda: self._predict(chance.randint(2, 20)),
            "many tasks": lambda: self._predict(500),
            "click": self._click,
            "equal requests": self._twice,
            "poison task": lambda: self._poison("complain"),
            "nonsense": self._nonsense,
            "hang up": self._leave,
            "event": self._event,
            "setup": lambda: self._expect(200, "POST", "/setup", _encoded(request_bodies.setup(self._project))),
            "health": lambda: self._expect(200, "GET", "/health"),
            "metrics": lambda: self._expect(200, "GET", "/metrics"),
        }

    async def ask(self) -> None:
        """Make one request of some kind."""
        (kind,) = self._chance.choices(list(MIX), list(MIX.values()))
        self._report.asked[kind] += 1
        try:
            await self._kinds[kind]()
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            self._report.wrong.append(f"{kind}: {error!r}")

    async def upset(self) -> None:
        """Start a training, and end a worker."""
        self._report.asked["training and crash"] += 1
        start = {"action": "START_TRAINING", "project": {"id": 7, "label_config": request_bodies.CONFIG}}
        await self._expect(201, "POST", "/webhook", _encoded(start))
        await self._poison("exit")

    async def close(self) -> None:
        """Close its connections."""
        await self._line.close()
        await self._other.close()

    @property
    def _project(self) -> str:
        return self._chance.choice(PROJECTS)

    async def _predict(self, count: int) -> None:
        tasks = obedient.tasks(count)
        self._compare(await self._line.call("POST", "/predict", obedient.body(tasks, self._project)), tasks)

    async def _click(self) -> None:
        tasks = obedient.tasks(1)
        body = obedient.body(tasks, self._project, context=obedient.CLICK)
        self._compare(await self._line.call("POST", "/predict", body), tasks)

    async def _twice(self) -> None:
        tasks = obedient.tasks(2)
        body = obedient.body(tasks, self._project)
        for reply in await asyncio.gather(
            *(line.call("POST", "/predict", body) for line in (self._line, self._other))
        ):
            self._compare(reply, tasks)

    async def _poison(self, order: str) -> None:
        poison = obedient.task(order)
        tasks = [*obedient.tasks(2), poison]
        self._compare(await self._line.call("POST", "/predict", obedient.body(tasks, self._project)), tasks, poison)

    async def _nonsense(self) -> None:
        status, method, path, body = self._chance.choice(
            [
                (400, "POST", "/predict", b'{"tasks": [{"id": 1'),
                (400, "POST", "/predict", b'{"tasks": 5}'),
                (400, "POST", "/webhook", b"[]"),
                (404, "GET", f"/no/such/{self._chance.random()}", b""),
                (405, "GET", "/predict", b""),
            ]
        )
        await self._expect(status, method, path, body)

    async def _leave(self) -> None:
        body = obedient.body(obedient.tasks(self._chance.choice([1, 50])), self._project)
        await self._other.hang_up(body, self._chance.choice([len(body) // 2, 2 * len(body)]))

    async def _event(self) -> None:
        event = request_bodies.annotated(self._chance.randint(1, 500), self._project)
        await self._expect(201, "POST", "/webhook", _encoded(event))

    async def _expect(self, status: int, method: str, path: str, body: bytes = b"") -> None:
        got, text = await self._line.call(method, path, body)
        if got != status:
            self._report.wrong.append(f"{method} {path}: {got} instead of {status}: {text[:200]!r}")

    def _compare(self, reply: tuple[int, bytes], tasks: list[obedient.Json], *poison: obedient.Json) -> None:
        status, body = reply
        if status != 200:
            self._report.wrong.append(f"/predict: {status}: {body[:200]!r}")
            return
        got = [item["token"] if item else None for item in json.loads(body)["results"]]
        if got != obedient.expected(tasks, poison):
            self._report.wrong.append(f"/predict: {got[:5]} instead of {obedient.expected(tasks, poison)[:5]}")


def _encoded(message: Any) -> bytes:
    return json.dumps(message).encode()


def samples(server: ServerProcess, done: int) -> list[Sample]:
    """The resident memory of every process of the server now."""
    weights = server_state.resident(server.family())
    return [
        Sample(done, pid, "web" if pid == server.pid else server_state.role(pid), megabytes)
        for pid, megabytes in weights.items()
    ]


async def run(server: ServerProcess, requests: int, clients: int, seed: int, *, show: bool = False) -> Report:
    """Make so many requests of all kinds, so many at once, and sample memory as they go."""
    report = Report()
    every, upheaval = max(50, requests // SAMPLES), min(BETWEEN_UPHEAVALS, int(requests * UNREST) // 2)
    numbers = iter(range(1, requests + 1))
    started = time.perf_counter()

    async def work(client: Client) -> None:
        for number in numbers:
            await client.ask()
            if number % upheaval == 0 and number <= requests * UNREST:
                await client.upset()
            if number % every == 0:
                report.samples += await asyncio.to_thread(samples, server, number)
            if show and number % (every * 10) == 0:
                now = ", ".join(f"{sample.role} {sample.megabytes:.0f}" for sample in report.samples[-4:])
                print(f"{number:9} {time.perf_counter() - started:6.0f} s   {now} MB", flush=True)

    crowd = [Client(server.port, random.Random(seed + number), report) for number in range(clients)]
    await asyncio.gather(*(work(client) for client in crowd))
    for client in crowd:
        await client.close()
    report.seconds = time.perf_counter() - started
    return report


def options() -> list[str]:
    """What the server is started with: trainings only when the button is pressed, and few versions kept."""
    return ["--train-on", "start", "--keep-versions", "3", "--trainer-idle", "5s"]


def main() -> int:
    """Run, print the table and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200_000, help="requests in all (default 200000)")
    parser.add_argument("--clients", type=int, default=16, help="connections at once (default 16)")
    parser.add_argument("--workers", type=int, default=2, help="predict workers (default 2)")
    parser.add_argument("--seed", type=int, default=20240229, help="which requests are made (default 20240229)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        server = ServerProcess(
            obedient.source(), *options(), "--workers", str(given.workers), state=Path(folder, "state")
        )
        try:
            server.wait_healthy()
            report = asyncio.run(run(server, given.requests, given.clients, given.seed, show=True))
            code = server.stop()
        finally:
            server.kill_family()
    lives = report.lives(given.requests // 4)
    print(
        f"\n{'process':16} {'requests':>17} {'MB after warm-up':>17} {'MB at the end':>14} {'MB per 100 000':>15}"
    )
    for one in lives:
        span = f"{one.first}-{one.last}"
        print(f"{one.role + ' ' + str(one.pid):16} {span:>17} {one.early:17.1f} {one.late:14.1f} {one.slope:15.2f}")
    print(f"\n{sum(report.asked.values())} requests in {report.seconds:.0f} s: {dict(report.asked)}")
    for line in report.wrong[:10]:
        print("wrong:", line)
    steady = all(one.flat for one in lives) and {one.role for one in lives} >= {"web", "worker"}
    print(f"memory: {'flat' if steady else 'NOT FLAT'}; wrong answers: {len(report.wrong)}; exit code {code}")
    return 0 if steady and not report.wrong and code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
