"""One module knows HTTP status codes; every error of ours has one."""

from __future__ import annotations

import ast
import http
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

import label_studio_ml
from label_studio_ml import errors
from label_studio_ml.server import statuses

PACKAGE = Path(label_studio_ml.__file__).parent
CALLERS = {"checks", "cli", "doctor", "examples", "label_studio", "media", "scaffold", "stage", "testing"}
"""Rooms that read the statuses of replies they get, or play a server of somebody else."""

NUMBERS = {status.value for status in http.HTTPStatus if status >= statuses.OK}


def modules() -> Iterator[Path]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] not in CALLERS and path != Path(statuses.__file__):
            yield path


def numbers_in(tree: ast.AST) -> Iterator[int]:
    """The lines in which a number stands that is a status, other than where a text is cut."""
    cut = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Slice) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if _is_number(node) and id(node) not in cut:
            yield node.lineno


def statuses_in(tree: ast.AST) -> Iterator[int]:
    """The lines in which a status is compared with, or given as, a number."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and "status" in ast.unparse(node.left):
            yield from (part.lineno for side in node.comparators for part in ast.walk(side) if _is_number(part))
        elif isinstance(node, ast.keyword) and node.arg in ("status", "status_code") and _is_number(node.value):
            yield node.value.lineno


def _is_number(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and node.value in NUMBERS and type(node.value) is int


def test_no_other_module_writes_the_number_of_a_status() -> None:
    found = []
    for path in modules():
        tree = ast.parse(path.read_text())
        lines = set(statuses_in(tree))
        if path.is_relative_to(PACKAGE / "server"):
            lines |= set(numbers_in(tree))
        found += [f"{path.relative_to(PACKAGE)}:{line}" for line in sorted(lines)]
    assert found == []


def test_no_other_module_uses_the_statuses_of_the_standard_library() -> None:
    assert [str(path) for path in modules() if "HTTPStatus" in path.read_text()] == []


def test_a_number_written_by_hand_is_found() -> None:
    assert list(numbers_in(ast.parse("reply(404)\ntext[:200]\nx = {'status': 500}"))) == [1, 3]
    assert list(statuses_in(ast.parse("if reply.status_code in (404, 410): ...\nsend(status=503)"))) == [1, 1, 2]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.RequestError, 400),
        (errors.NotFound, 404),
        (errors.Gone, 410),
        (errors.BodyTooLarge, 413),
        (errors.ClientGone, 499),
        (errors.ModelError, 500),
        (errors.InvalidPrediction, 500),
        (errors.FitError, 500),
        (errors.LabelStudioError, 500),
        (errors.LoadError, 503),
        (errors.WorkerDied, 503),
        (errors.StoreError, 503),
    ],
)
def test_every_error_has_its_status(kind: type[errors.BackendError], status: int) -> None:
    assert statuses.of_error(kind) == status


def test_a_status_that_no_standard_knows_has_no_phrase() -> None:
    assert (statuses.phrase(404), statuses.phrase(499)) == ("Not Found", "")


def test_the_document_can_say_what_each_status_of_an_error_means() -> None:
    raised = {statuses.of_error(kind) for kind in (errors.NotFound, errors.Gone, errors.PredictError)}
    assert raised <= set(statuses.MEANING)
