"""[web process] What is tried again after a worker ended, or was stuck, and which task gets no prediction.

The tasks of its call go to quarantine: each request is tried alone, and if its worker ends too, each half of it,
until the poison task is alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..errors import WorkerDied
from ..processes.messages import Problem
from ..wire.requests import task_id
from ..wire.results import NOTHING
from .queue import Queues
from .request import Piece

_LIVES = 2
"""Times a single task may end a worker that had nothing else to do; the first may have been an accident."""

_POISON_IN_A_ROW = 3
"""Poison tasks, with no other answer in between, before the model counts as failing."""

_SHOWN = 200
"""Characters that are shown of a task's id."""

_log = logging.getLogger(__name__)


class Retries:
    """Puts the tasks of a call whose worker ended into quarantine, and gives up on poison tasks."""

    def __init__(self, queues: Queues, suspend: Callable[[str], None]) -> None:
        """Begin with no poison task.

        Args:
            queues: where tasks are put into quarantine.
            suspend: told why the model counts as failing.
        """
        self._queues, self._suspend = queues, suspend
        self._poison_in_a_row = 0

    def answered(self) -> None:
        """A call brought results: the model does not fail altogether."""
        self._poison_in_a_row = 0

    def worker_died(self, pieces: list[Piece], error: WorkerDied) -> None:
        """A worker ended in a call of these tasks: find the poison task and try the others again."""
        again: list[Piece] = []
        for piece in pieces:
            if piece.request.over or not len(piece):
                continue
            if not (error.alone and len(pieces) == 1):  # any of them may have been it, or the call beside
                again.append(piece)
            elif len(piece) > 1:
                again += piece.halves()
            elif piece.died() < _LIVES and not error.stuck:
                again.append(piece)
            else:
                self._give_up(piece, error)
        self._queues.quarantine(again)

    def _give_up(self, piece: Piece, error: WorkerDied) -> None:
        """A task gets no prediction because no worker survives it."""
        identity = str(task_id(piece.tasks[0]) or "")[:_SHOWN]
        _log.error("Task %s got no prediction: %s", identity or "(no id)", error)
        reason = "timeout" if error.stuck else "crashed"
        piece.fill([NOTHING], [Problem(0, identity, "predict", str(error), reason)])
        self._poison_in_a_row += 1
        if self._poison_in_a_row >= _POISON_IN_A_ROW:
            self._suspend(f"{self._poison_in_a_row} tasks in a row, each alone, ended in the same way. {error}")
