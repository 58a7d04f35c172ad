"""Whether the media of a task can be fetched, with the token, the settings and from where the doctor runs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from .. import settings
from ..errors import MediaError
from ..media.addresses import LabelStudio
from ..media.files import Media
from .scene import interface

_CLOUD = ("s3://", "gs://", "azure-blob://")


def media_of(label_config: str, task: dict[str, Any]) -> list[str]:
    """The addresses in a task's data that the labeling config shows."""
    data = task.get("data") or {}
    shown = [data.get(item.value_name) for item in interface(label_config).objects]
    starts = ("/data/", "http://", "https://", *_CLOUD)
    return [value for value in shown if isinstance(value, str) and value.startswith(starts)]


def fetched(label_studio: LabelStudio, address: str) -> str:
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
