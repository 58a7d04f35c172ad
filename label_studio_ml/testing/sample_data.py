"""Tasks and annotations that fit a labeling config, without a backend."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

from label_studio_sdk.label_interface import LabelInterface

from ..stage import samples
from ..wire import records
from . import labeling_config

Json = dict[str, Any]


def sample_tasks(label_config: str | Path, count: int = 4, folder: Path | None = None) -> list[Json]:
    """Tasks with data for a labeling config; media are real, small files.

    Args:
        label_config: as in `check_backend`.
        count: how many.
        folder: where files are written, and tasks hold their paths; without it tasks hold data URIs.

    >>> sample_tasks("text-classification", 1)[0]["data"]
    {'text': 'The soup was wonderful and the waiter was friendly.'}
    """
    publish = _data_uri if folder is None else _writer(folder)
    return samples.tasks(LabelInterface(config=labeling_config.named(label_config).xml), count, publish)


def sample_annotation(label_config: str | Path, task: Json, number: int = 0) -> Json:
    """An annotation that fits a labeling config; different numbers take different labels.

    >>> task = sample_tasks("text-classification", 1)[0]
    >>> sample_annotation("text-classification", task, 1)["result"][0]["value"]
    {'choices': ['Negative']}
    """
    interface = LabelInterface(config=labeling_config.named(label_config).xml)
    return samples.annotation(interface, records.completed(task, 1), number)


def _data_uri(name: str, content: bytes) -> str:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _writer(folder: Path) -> Callable[[str, bytes], str]:
    def write(name: str, content: bytes) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_bytes(content)
        return str(path)

    return write
