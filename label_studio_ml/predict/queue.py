"""[web process] Who goes next. Knows nothing of workers or time.

Interactive requests go first and alone, then what is in quarantine: tasks that were in the call of a worker that
ended, each to be tried alone. Projects take turns, and so do the requests of a project: a large one is cut, and
goes to the end of the line after each piece.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque

from .request import Piece, Request

_LOOKED_AT = 256
"""Requests that are looked at for others that fit: what does not fit must not make every call slower."""


class Queues:
    """Requests that have tasks to hand out."""

    def __init__(self, max_batch_size: int) -> None:
        self._size = max_batch_size
        self._interactive: deque[Request] = deque()
        self._projects: OrderedDict[str, deque[Request]] = OrderedDict()
        self._quarantine: deque[Piece] = deque()
        self.tasks = self.interactive_tasks = 0

    def __bool__(self) -> bool:
        return bool(self._projects or self._interactive or self._quarantine)

    @property
    def has_interactive(self) -> bool:
        """Whether an annotator waits."""
        return bool(self._interactive)

    @property
    def has_quarantined(self) -> bool:
        """Whether there are tasks to be tried alone."""
        return bool(self._quarantine)

    @property
    def has_batch(self) -> bool:
        """Whether there are tasks for an ordinary call."""
        return bool(self._projects)

    @property
    def has_full_batch(self) -> bool:
        """Whether the next call can be as large as there can be one."""
        for line in self._projects.values():
            return line[0].queued >= self._size
        return False

    @property
    def requests(self) -> int:
        """Requests that wait, without the interactive ones."""
        return sum(map(len, self._projects.values()))

    @property
    def all_tasks(self) -> int:
        """Tasks that wait, whatever for."""
        return self.tasks + self.interactive_tasks + sum(map(len, self._quarantine))

    def add(self, request: Request) -> None:
        """Queue a request."""
        if request.interactive:
            self._interactive.append(request)
            self.interactive_tasks += len(request.tasks)
            return
        self.tasks += len(request.tasks)
        line = self._projects.get(request.project_id)
        if line is None:
            self._projects[request.project_id] = deque((request,))
        else:
            line.append(request)

    def quarantine(self, pieces: list[Piece]) -> None:
        """Queue tasks to be tried alone, before those that are in quarantine already."""
        self._quarantine.extendleft(reversed(pieces))

    def remove(self, request: Request) -> None:
        """Forget the tasks of a request that have not been handed out, and what is in quarantine of it."""
        if any(piece.request is request for piece in self._quarantine):
            self._quarantine = deque(piece for piece in self._quarantine if piece.request is not request)
        if not (queued := request.withdraw()):
            return
        if request.interactive:
            self.interactive_tasks -= queued
            self._interactive.remove(request)
            return
        self.tasks -= queued
        line = self._projects[request.project_id]
        line.remove(request)
        if not line:
            del self._projects[request.project_id]

    def take_interactive(self) -> list[Piece]:
        """The tasks of the next interactive request."""
        request = self._interactive[0]
        piece = request.take(self._size)
        self.interactive_tasks -= len(piece)
        if not request.queued:
            self._interactive.popleft()
        return [piece]

    def take_quarantined(self) -> list[Piece]:
        """What is to be tried alone next."""
        return [self._quarantine.popleft()]

    def take_batch(self, *, merge: bool) -> list[Piece]:
        """The tasks of the next ordinary call. `merge`: requests may share it."""
        project_id, line = next(iter(self._projects.items()))
        first = line[0]
        pieces = [first.take(self._size)]
        line.popleft()
        if first.queued:
            line.append(first)
        elif merge:
            pieces += self._take_fitting(first, line, self._size - len(pieces[0]))
        if line:
            self._projects.move_to_end(project_id)
        else:
            del self._projects[project_id]
        self.tasks -= sum(map(len, pieces))
        return pieces

    @staticmethod
    def _take_fitting(first: Request, line: deque[Request], room: int) -> list[Piece]:
        """Whole requests that may share a call with the first one and fit into it."""
        fitting = []
        for request in list(itertools.islice(line, _LOOKED_AT)):
            if not room:
                break
            if request.queued <= room and request.shares_calls_with(first):
                room -= request.queued
                line.remove(request)
                fitting.append(request.take(request.queued))
        return fitting
