"""Label Studio's API, through its SDK: one client, both kinds of token. Too slow to import for the web process."""

from __future__ import annotations

import functools
import json
import logging
import weakref
from collections.abc import Iterator
from typing import Any

import httpx
from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError

from ..errors import LabelStudioError, one_line
from . import retries

PAGE_SIZE = 100
_ATTEMPTS = 4
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_log = logging.getLogger(__name__)
_ANNOTATED = {
    "ordering": ["tasks:id"],
    "filters": {
        "conjunction": "or",
        "items": [
            {"filter": f"filter:tasks:{column}", "operator": "greater", "type": "Number", "value": 0}
            for column in ("total_annotations", "cancelled_annotations")
        ],
    },
}


def sdk_client(hostname: str, token: str, *, verify: bool = True) -> LabelStudio:
    """An SDK client for one Label Studio and token; its connections are closed with it.

    Args:
        hostname: Label Studio's address, as in `http://localhost:8080`.
        token: a legacy token or a personal access token.
        verify: whether to check Label Studio's certificate.

    Raises:
        LabelStudioError: the token has expired or is malformed.
    """
    try:
        http = httpx.Client(timeout=_TIMEOUT, follow_redirects=True, verify=verify)
        client = LabelStudio(base_url=hostname.rstrip("/"), api_key=token, httpx_client=http)
        weakref.finalize(client, http.close)
    except ApiError as error:
        raise LabelStudioError(f"Label Studio's token cannot be used: {detail(error)}") from error
    return client


def working_token(client: LabelStudio) -> str:
    """A token that Label Studio takes right now; a personal access token is exchanged for one.

    Raises:
        LabelStudioError: Label Studio does not exchange it.
    """
    try:
        token: str = client._client_wrapper._tokens_client.api_key  # noqa: SLF001 - there is no public way
    except (ApiError, httpx.HTTPError, ValueError) as error:
        reason = detail(error) if isinstance(error, ApiError) else one_line(error)
        raise LabelStudioError(f"Label Studio does not take its personal access token: {reason}") from error
    return token


@functools.lru_cache(maxsize=16)
def _client(hostname: str, token: str, verify: bool) -> LabelStudio:
    return sdk_client(hostname, token, verify=verify)


def authorization(hostname: str, token: str, *, verify: bool = True) -> str:
    """The `Authorization` header for a token of any kind.

    Raises:
        LabelStudioError: it is a personal access token that Label Studio does not exchange.
    """
    if token.count(".") != 2:
        return f"Token {token}"
    client = _client(hostname, token, verify)
    if client._client_wrapper._tokens_client.jwt_token_type(token) == "refresh":  # noqa: SLF001
        token = working_token(client)
    return f"Bearer {token}"


def annotated_tasks(client: LabelStudio, project_id: str, *, attempts: int = _ATTEMPTS) -> Iterator[dict[str, Any]]:
    """The annotated tasks of a project in JSON export form, page by page, by rising id.

    Args:
        client: of `sdk_client`.
        project_id: the project.
        attempts: times a page is asked for, with growing pauses in between.

    Raises:
        LabelStudioError: Label Studio did not answer, or refused; the message says what to do.
    """
    page, seen = 1, 0
    while True:
        answer = _page(client, project_id, page, attempts)
        tasks = answer.get("tasks", [])
        yield from tasks
        seen += len(tasks)
        if not tasks or seen >= answer.get("total", 0):
            return
        page += 1


def project(client: LabelStudio, project_id: str) -> dict[str, Any]:
    """What Label Studio says about a project: `title`, `label_config`, and more.

    Raises:
        LabelStudioError: Label Studio did not answer, or there is no such project for this token.
    """
    return _get(client, f"api/projects/{project_id}/", {}, f"project {project_id}", attempts=2)


def first_tasks(client: LabelStudio, project_id: str, count: int) -> list[dict[str, Any]]:
    """The first tasks of a project, without their annotations and predictions.

    Raises:
        LabelStudioError: Label Studio did not answer, or refused.
    """
    params = {"project": project_id, "page": 1, "page_size": count, "fields": "all"}
    answer = _get(client, "api/tasks", params, f"the tasks of project {project_id}", attempts=2)
    bare: dict[str, Any] = {"annotations": [], "predictions": [], "drafts": []}
    return [{**task, **bare} for task in answer.get("tasks", [])][:count]


def _page(client: LabelStudio, project_id: str, page: int, attempts: int) -> dict[str, Any]:
    params = {
        "project": project_id,
        "page": page,
        "page_size": PAGE_SIZE,
        "fields": "all",
        "resolve_uri": "false",  # cloud addresses as exports have them
        "query": json.dumps(_ANNOTATED),
    }
    return _get(client, "api/tasks", params, f"the tasks of project {project_id} (page {page})", attempts)


class _Unavailable(Exception):
    """Label Studio cannot be reached, is overloaded, or fails: it may answer in a moment."""


def _get(client: LabelStudio, path: str, params: dict[str, Any], what: str, attempts: int) -> dict[str, Any]:
    problem = ""
    try:
        for attempt in retries.attempts(attempts, on=_Unavailable):
            with attempt:
                return _get_once(client, path, params, what)
    except _Unavailable as error:
        problem = str(error)
    raise _not_given(what, problem)


def _get_once(client: LabelStudio, path: str, params: dict[str, Any], what: str) -> dict[str, Any]:
    http = client._client_wrapper.httpx_client  # noqa: SLF001 - the typed calls drop fields of tasks
    try:
        response = http.request(path, method="GET", params=params, request_options={"max_retries": 0})
    except (httpx.HTTPError, ApiError) as error:
        raise _Unavailable(one_line(error)) from error
    status = response.status_code
    if status == 200:
        try:
            answer: dict[str, Any] = response.json()
        except ValueError:
            raise LabelStudioError(f"What answers at LABEL_STUDIO_URL is not Label Studio ({what}).") from None
        return answer
    if status in (401, 403):
        raise LabelStudioError(
            f"Label Studio refused its token for {what} (status {status}). Set LABEL_STUDIO_API_KEY to a valid one."
        )
    if status >= 500 or status == 429:
        raise _Unavailable(f"status {status}")
    raise _not_given(what, "it is not there, or the token may not see it" if status == 404 else f"status {status}")


def _not_given(what: str, problem: str) -> LabelStudioError:
    return LabelStudioError(
        f"Label Studio did not give {what}: {problem}. Is LABEL_STUDIO_URL right, and is it reachable from here?"
    )


def detail(error: ApiError) -> str:
    """What Label Studio says about an error."""
    body = error.body
    return str(body.get("detail", body)) if isinstance(body, dict) else str(body)
