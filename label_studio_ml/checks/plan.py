"""What a backend is tried with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from .configs import LabelConfig


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Labeling config and tasks, and where they are from."""

    label_config: LabelConfig
    tasks: Sequence[dict[str, Any]] = ()
    """Label Studio tasks, or just their data; without any, samples are made that fit the labeling config."""
    count: int = 4
    """How many samples."""
    fit: bool = True
    """Whether to train, too."""
    project_id: str = "1"
    hostname: str = ""
    """Address of the real Label Studio that the tasks are from; without it, Label Studio is played."""
    access_token: str = ""
    """For the real Label Studio."""
