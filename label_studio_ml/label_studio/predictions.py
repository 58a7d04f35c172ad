"""Predictions that were not ready when Label Studio asked for them are written to it here. In worker processes.

What is there already is never written twice, and what Label Studio refuses costs the others nothing. Never deletes.
"""

from __future__ import annotations

import functools
import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import LabelStudioError
from . import retries
from .project import CallRefused, Json, LabelStudioApi

ATTEMPTS = 6
_PAGE = 500  # Label Studio takes 250 MB in a request, proxies in front of it often less
_PAGE_BYTES = 4_000_000
_LOOK_UP = 100  # tasks in the query of an address, which proxies cut at some kilobytes
_FEW = 20
# An import makes Label Studio count the predictions of every task of the project anew. On SQLite that takes 0.5
# ms a task, where a call for one prediction takes 25 to 70 ms.
_TASKS_PER_CALL = 100
_UNWANTED = (400, 413)  # the fault is in the predictions
_TIMEOUT = 300  # seconds that a call may take
_log = logging.getLogger(__name__)


def write(
    hostname: str,
    token: str,
    project_id: str | int,
    predictions: Sequence[dict[str, Any]],
    *,
    verify: bool = True,
    attempts: int = ATTEMPTS,
) -> int:
    """Write predictions to Label Studio, except those of a task and version that it has already.

    It may be called again with the same predictions, after an error say: only what is missing is written. Tasks
    that are not in the project any more are left out, and so is, with a warning, what Label Studio refuses.

    Args:
        hostname: Label Studio's address, as in `http://localhost:8080`.
        token: a legacy token or a personal access token.
        project_id: the project that all the tasks belong to.
        predictions: dicts with `task` (id), `result` (regions), `score` (number or None) and `model_version`.
        verify: whether to check Label Studio's certificate.
        attempts: times a page is tried while Label Studio cannot be reached, is overloaded, or fails.

    Returns:
        How many were written.

    Raises:
        LabelStudioError: the token is refused, the project is gone, or Label Studio could not be reached. Some may
            be written all the same.
    """
    if not predictions:
        return 0
    if not str(project_id).isdecimal():
        raise LabelStudioError(
            f"Predictions cannot be written to Label Studio: {project_id!r} is no project there."
        )
    project = int(project_id)
    try:
        api = _api(hostname, token, verify)
        return sum(_write_page(api, project, page, attempts) for page in _pages(predictions))
    except CallRefused as refused:
        raise _explained(refused, project) from refused


@functools.lru_cache(maxsize=16)
def _api(hostname: str, token: str, verify: bool) -> LabelStudioApi:
    return LabelStudioApi(hostname, token, verify=verify)


def _pages(predictions: Sequence[dict[str, Any]]) -> Iterator[list[Json]]:
    page: list[Json] = []
    size = 0
    for prediction in predictions:
        one = {key: prediction.get(key) for key in ("task", "result", "score", "model_version")}
        length = len(json.dumps(one))
        if page and (len(page) == _PAGE or size + length > _PAGE_BYTES):
            yield page
            page, size = [], 0
        page.append(one)
        size += length
    yield page


def _write_page(api: LabelStudioApi, project: int, page: list[Json], attempts: int) -> int:
    """Write what is missing of a page, and look again what that is after each failure: it may have got through."""
    missing: list[Json] | None = None
    for attempt in retries.attempts(attempts, on=functools.partial(_may_pass, project)):
        with attempt:
            left = _missing(api, project, page)
            missing = left if missing is None else missing
            return len(missing) - _send(api, project, left, page)
    raise AssertionError("The last attempt has raised.")


def _missing(api: LabelStudioApi, project: int, page: list[Json]) -> list[Json]:
    """Those whose task exists and lacks them, counted for each task and version."""
    stored: Counter[tuple[int, str]] = Counter()
    existing: set[int] = set()
    tasks = list(dict.fromkeys(prediction["task"] for prediction in page))
    for start in range(0, len(tasks), _LOOK_UP):
        for task in _tasks(api, project, tasks[start : start + _LOOK_UP]):
            existing.add(task["id"])
            stored.update((task["id"], prediction["model_version"]) for prediction in task["predictions"])
    if gone := len(tasks) - len(existing):
        _log.info("%d tasks with late predictions are no longer in project %s.", gone, project)
    missing = []
    for prediction in page:
        key = (prediction["task"], prediction["model_version"])
        if stored[key]:
            stored[key] -= 1
        elif prediction["task"] in existing:
            missing.append(prediction)
    return missing


def _tasks(api: LabelStudioApi, project: int, ids: list[int]) -> list[Json]:
    """The tasks with their predictions. `review` keeps Label Studio from asking its backends for more."""
    answer = api.call(
        "GET",
        "api/tasks",
        project=project,
        page_size=len(ids),
        fields="all",
        review="true",
        resolve_uri="false",
        query=json.dumps({"selectedItems": {"all": False, "included": ids}}, separators=(",", ":")),
    )
    try:
        return list(answer["tasks"])
    except (KeyError, TypeError):
        raise LabelStudioError("What answers at LABEL_STUDIO_URL is not Label Studio.") from None


def _send(api: LabelStudioApi, project: int, predictions: list[Json], page: list[Json]) -> int:
    """Send those of a page in the quicker way, and return how many Label Studio refused."""
    if len(predictions) > _FEW and _tasks_of(api, project) <= len(predictions) * _TASKS_PER_CALL:
        if _import(api, project, predictions):
            return 0
        predictions = _missing(api, project, page)
    return _one_by_one(api, project, predictions)


def _import(api: LabelStudioApi, project: int, predictions: list[Json]) -> bool:
    """Whether Label Studio took them all in one call. One that it does not like may cost the others theirs."""
    try:
        answer = _post(api, f"api/projects/{project}/import/predictions", predictions)
    except CallRefused as refused:
        if refused.status not in _UNWANTED:
            raise
        _log.info("Writing predictions of project %s one by one: %s", project, refused)
        return False
    return bool(answer.get("created") == len(predictions))


def _one_by_one(api: LabelStudioApi, project: int, predictions: list[Json]) -> int:
    """Write each with a call of its own, and return how many Label Studio refused."""
    reasons = []
    for prediction in predictions:
        try:
            _post(api, "api/predictions/", {**prediction, "project": project})
        except CallRefused as refused:
            if refused.status not in _UNWANTED:
                raise
            reasons.append(f"task {prediction['task']}: {refused.detail}")
    if reasons:
        examples = "; ".join(reasons[:3])
        _log.warning("Label Studio refused %d late predictions of project %s. %s", len(reasons), project, examples)
    return len(reasons)


def _tasks_of(api: LabelStudioApi, project: int) -> int:
    return int(api.call("GET", f"api/projects/{project}/", include="id,task_number")["task_number"])


def _post(api: LabelStudioApi, path: str, body: object) -> Json:
    answer = api.call("POST", path, body, timeout=_TIMEOUT)
    if not isinstance(answer, dict):  # what a redirect makes of a POST, most often
        raise LabelStudioError(
            "Label Studio did not store predictions but listed them. Set LABEL_STUDIO_URL to the address that it "
            "has in the browser, with https where that is so."
        )
    return answer


def _may_pass(project: int, error: Exception) -> bool:
    """Whether it may be better in a moment."""
    passes = isinstance(error, CallRefused) and (error.status in (0, 408, 429) or error.status >= 500)
    if passes:
        _log.info("Writing predictions of project %s did not work: %s", project, error)
    return passes


def _explained(refused: CallRefused, project: int) -> LabelStudioError:
    what = f"Predictions of project {project} could not be written to Label Studio"
    if refused.status in (401, 403):
        return LabelStudioError(
            f"{what}: it refused the token (status {refused.status}). Set LABEL_STUDIO_API_KEY to a valid one."
        )
    if refused.status == 404:
        return LabelStudioError(f"{what}: the project is not there any more, or the token may not see it.")
    return LabelStudioError(
        f"{what}: {refused.detail} (status {refused.status}). "
        "Is LABEL_STUDIO_URL right, and is it reachable from here?"
    )
