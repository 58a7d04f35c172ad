"""Whether the media of a task can be fetched, with the token, the settings and from where the doctor runs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from label_studio_sdk.label_interface import LabelInterface

from .. import settings
from ..errors import MediaError
from ..media.addresses import LabelStudio
from ..media.files import Media
from .findings import Findings
from .project import Project

_STARTS = ("/data/", "http://", "https://", "s3://", "gs://", "azure-blob://")


def check(project: Project, label_studio_url: str, token: str, findings: Findings) -> None:
    """Fetch one file of the project's first task that has any."""
    addresses = [
        (task["id"], address) for task in project.tasks for address in _addresses(project.label_config, task)
    ]
    if not addresses:
        return
    task_id, address = addresses[0]
    where = LabelStudio(label_studio_url, token, project_id=str(project.number), task_id=task_id)
    why, _, fix = _fetch(where, address).partition(". ")
    if why:
        fix = fix or "Check that the file still exists, and that the storage is connected and readable."
        findings.problem("media", f"The media of task {task_id} cannot be fetched: {why}.", fix)
    else:
        shown = address if len(address) <= 100 else address[:99] + "…"
        findings.ok("media", f"The media of task {task_id} can be fetched from here ({shown}).")


def _addresses(label_config: str, task: dict[str, Any]) -> list[str]:
    """The addresses in a task's data that the labeling config shows."""
    data = task.get("data") or {}
    shown = [data.get(item.value_name) for item in LabelInterface(label_config).objects]
    return [value for value in shown if isinstance(value, str) and value.startswith(_STARTS)]


def _fetch(label_studio: LabelStudio, address: str) -> str:
    """Fetch a media file as a backend does, and throw it away again.

    Returns:
        Why it cannot be fetched, and then what to do; empty when it can.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            Media(settings.load(), Path(folder)).path(address, label_studio)
        except MediaError as error:
            return str(error)
    return ""
