"""Requests of a requester that notes what it hears, for the parts of `predict` that are tested alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from label_studio_ml.predict.request import Piece, Request
from label_studio_ml.processes.messages import Problem


class NotingRequester:
    """Makes requests and notes what becomes of them."""

    def __init__(self) -> None:
        self.results: list[tuple[int, list[bytes]]] = []
        self.problems: list[Problem] = []
        self.errors: list[Exception] = []

    def progressed(self, request: Request, start: int, items: list[bytes], problems: Sequence[Problem]) -> None:
        self.results.append((start, items))
        self.problems += problems
        if not request.left:
            request.close()

    def failed(self, request: Request, error: Exception) -> None:
        request.close()
        self.errors.append(error)

    def request(self, *tasks: Any, project: str = "1", params: bytes = b"{}", interactive: bool = False) -> Request:
        """A request for these tasks."""
        encoded = [json.dumps(task).encode() for task in tasks]
        return Request(self, project, None, encoded, params, interactive=interactive)


def names(pieces: list[Piece]) -> list[list[str]]:
    """The tasks of pieces."""
    return [[json.loads(task) for task in piece.tasks] for piece in pieces]
