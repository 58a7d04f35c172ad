"""[trainer] The data a generation-1 fit() gets: the project's annotated tasks, kept in a file."""

from __future__ import annotations

import hashlib
import logging
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import msgspec
from sqlalchemy import Connection

from ..errors import LabelStudioError
from ..settings import Settings
from ..store import events, projects
from ..store.database import Database
from ..store.events import Event
from ..store.projects import Project
from ..wire import events as protocol

_log = logging.getLogger(__name__)


class AnnotatedTasks(Sequence[dict[str, Any]]):
    """Tasks in Label Studio's JSON export form, read from a file one at a time, so that a large project fits."""

    def __init__(self, path: Path, tasks: Iterable[dict[str, Any]]) -> None:
        """Write the tasks to `path`, one JSON document a line."""
        self._path = path
        self._offsets = array("Q", [0])
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for task in tasks:
                line = msgspec.json.encode(task) + b"\n"
                file.write(line)
                digest.update(line)
                self._offsets.append(file.tell())
        self.digest = digest.hexdigest()[:16]
        """Tells whether two trainings saw the same data."""

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """A task, or a list of them."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        with self._path.open("rb") as file:
            file.seek(self._offsets[place])
            line = file.read(self._offsets[place + 1] - self._offsets[place])
        return msgspec.json.decode(line, type=dict[str, Any])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Read the file from start to end; may be done again, and at once."""
        with self._path.open("rb") as file:
            for line in file:
                yield msgspec.json.decode(line, type=dict[str, Any])


def collect(
    project: Project, job_events: list[Event], settings: Settings, database: Database, path: Path
) -> tuple[AnnotatedTasks, str]:
    """Gather a project's annotated tasks into a file.

    They come with the request (`/train` of older Label Studio versions), from Label Studio when there is an
    address and a token for it, else from the events received.

    Returns:
        The tasks, and where they came from: `request`, `label-studio` or `events`.

    Raises:
        LabelStudioError: Label Studio cannot be asked although it could before, or no event has brought an
            annotation either.
    """
    sent = _sent_along(job_events)
    if sent is not None:
        return AnnotatedTasks(path, protocol.annotated_tasks([sent])), "request"
    hostname = settings.label_studio_url or project.hostname
    token = settings.label_studio_api_key or project.access_token
    if not (hostname and token):
        return _of_events(project, job_events, database, path), "events"
    try:
        tasks = _of_label_studio(project, hostname, token, path, verify=settings.verify_ssl)
    except LabelStudioError as error:
        if project.reached_at is not None:
            raise  # it has worked before: Label Studio is down, and will be back
        tasks = _of_events(project, job_events, database, path)
        if not len(tasks):
            raise
        _log.warning("%s Training on the %d tasks that events brought instead.", error, len(tasks))
        return tasks, "events"
    database.write(projects.reached, project.id)
    return tasks, "label-studio"


def _of_label_studio(project: Project, hostname: str, token: str, path: Path, *, verify: bool) -> AnnotatedTasks:
    from ..label_studio import client

    api = client.sdk_client(hostname, token, verify=verify)
    # Where it has never answered, the address is most likely wrong, and events will have to do.
    patience = {} if project.reached_at is not None else {"attempts": 2}
    return AnnotatedTasks(path, client.annotated_tasks(api, project.id, **patience))


def _of_events(project: Project, job_events: list[Event], database: Database, path: Path) -> AnnotatedTasks:
    until = job_events[-1].id if job_events else None
    return AnnotatedTasks(path, protocol.annotated_tasks(database.read(_occurrences, project.id, until)))


def _sent_along(job_events: list[Event]) -> tuple[str, Any] | None:
    """Action and payload of the newest request that brought its annotations along."""
    for event in reversed(job_events):
        if event.action == protocol.START_TRAINING:
            data = event.data
            if isinstance(data.get("annotations"), list):
                return event.action, data
    return None


def _occurrences(connection: Connection, project_id: str, until: int | None) -> list[tuple[str, Any]]:
    """Action and payload of the project's events, up to and with the one of the id `until`."""
    return [(event.action, event.data) for event in events.of_project(connection, project_id, until)]
