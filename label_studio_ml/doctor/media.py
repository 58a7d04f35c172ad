"""Whether the media of a task can be fetched, with the token and from where the doctor runs."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import httpx

from ..errors import one_line
from ..label_studio.project import LabelStudioApi
from .scene import interface

_TIMEOUT = httpx.Timeout(20.0, connect=5.0)
_CLOUD = ("s3://", "gs://", "azure-blob://")


def media_of(label_config: str, task: dict[str, Any]) -> list[str]:
    """The addresses in a task's data that the labeling config shows."""
    data = task.get("data") or {}
    shown = [data.get(item.value_name) for item in interface(label_config).objects]
    starts = ("/data/", "http://", "https://", *_CLOUD)
    return [value for value in shown if isinstance(value, str) and value.startswith(starts)]


def fetched(api: LabelStudioApi, task_id: int, address: str) -> str:
    """Fetch the beginning of one media file.

    Returns:
        Why it could not be; empty when it could.
    """
    path = ""
    if address.startswith(_CLOUD):
        encoded = base64.urlsafe_b64encode(address.encode()).decode()
        path = f"tasks/{task_id}/presign/?fileuri={quote(encoded)}"
    elif address.startswith("/"):
        path = address.lstrip("/")
    elif address.startswith(f"{api.url}/"):
        path = address.removeprefix(f"{api.url}/")
    try:
        if path:
            with api.stream(path) as reply:
                return _judged(reply)
        with httpx.stream("GET", address, timeout=_TIMEOUT, follow_redirects=True) as reply:
            return _judged(reply)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return one_line(error)


def _judged(reply: httpx.Response) -> str:
    if not reply.is_success:
        return f"status {reply.status_code}"
    for _ in reply.iter_bytes(1024):
        return ""
    return "it is empty"
