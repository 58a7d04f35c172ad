"""[web process] Events on their way to disk: those that come while a commit runs share the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection

from ..errors import StoreError
from ..processes.messages import Description
from ..store import counts, events, projects
from ..store.database import Database
from ..wire.events import Touched
from . import policy
from .policy import Rules

_MOST = 256


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is not on disk yet."""

    project_id: str
    """Empty when the event names none."""
    action: str
    """What happened."""
    payload: bytes
    """The body as it came, in JSON."""
    label_config: str | None = None
    """The labeling config that came along."""
    touched: Sequence[Touched] = ()
    """The annotations that it is about."""


class Intake:
    """Stores events, many at once when many come at once, and turns them into jobs in the same transaction."""

    def __init__(
        self,
        database: Database,
        description: Callable[[], Description | None],
        rules: Callable[[Description], Rules],
    ) -> None:
        self._database, self._description, self._rules = database, description, rules
        self._waiting: list[tuple[Arrival, asyncio.Future[str | None]]] = []
        self._storing: asyncio.Task[None] | None = None

    async def add(self, arrival: Arrival) -> str | None:
        """Return when the event is on disk: the id of its job, None when it trains nothing (yet).

        Raises:
            StoreError: it could not be stored; then nothing of it is.
        """
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[str | None] = loop.create_future()
        self._waiting.append((arrival, stored))
        if self._storing is None or self._storing.done():
            self._storing = loop.create_task(self._store_waiting())
        return await stored

    async def _store_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            await self._store(batch)

    async def _store(self, batch: list[tuple[Arrival, asyncio.Future[str | None]]]) -> None:
        arrivals = [arrival for arrival, _ in batch]

        def work(connection: Connection) -> list[str | None]:
            # Whether the class is known is asked here, where writes have an order: an event stored before the
            # scheduler looked for those that nobody has taken up is seen by it, one stored after is taken up here.
            return store(connection, arrivals, self._description(), self._rules)

        try:
            jobs = await self._database.write_async(work)
        except Exception as error:  # noqa: BLE001 - whoever brought the event must hear of it
            if len(batch) > 1 and not isinstance(error, StoreError):
                for one in batch:  # the fault of one event must not cost the others
                    await self._store([one])
                return
            for _, stored in batch:
                if not stored.done():
                    stored.set_exception(error)
            return
        for (_, stored), job_id in zip(batch, jobs, strict=True):
            if not stored.done():  # whoever brought it may have hung up; it is stored all the same
                stored.set_result(job_id)


def store(
    connection: Connection,
    arrivals: Sequence[Arrival],
    description: Description | None,
    rules: Callable[[Description], Rules],
) -> list[str | None]:
    """Store events and, once the author's class is known, turn them into work; for each the id of its job."""
    configs: dict[str, str | None] = {}
    for arrival in arrivals:
        configs[arrival.project_id] = arrival.label_config or configs.get(arrival.project_id)
    for project_id, label_config in configs.items():
        if project_id:
            projects.save(connection, project_id, label_config=label_config)
    ids = events.add_all(connection, [(one.project_id, one.action, one.payload) for one in arrivals])
    for arrival in arrivals:
        counts.follow(connection, arrival.project_id, arrival.touched)
    taken: dict[int, str] = {}
    if description is not None:  # else the scheduler takes them up once the class is known
        for project_id in configs:
            here = zip(ids, arrivals, strict=True)
            arrived = {event_id: one.action for event_id, one in here if one.project_id == project_id}
            taken |= policy.take_up(connection, project_id, description, rules(description), arrived)
    return [taken.get(event_id) for event_id in ids]
