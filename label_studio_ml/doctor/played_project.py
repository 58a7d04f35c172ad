"""The project that the doctor plays before a backend: its names, labeling config, tasks and credentials."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from label_studio_sdk.label_interface import LabelInterface

from ..wire import records

Json = dict[str, Any]

ANY_CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="choice" toName="text">'
    '<Choice value="Yes"/><Choice value="No"/></Choices></View>'
)
_MEDIA = {"Image", "Audio", "AudioPlus", "Video", "Pdf", "PDF", "TimeSeries"}


def throw_away_name() -> str:
    """The name of a project that no Label Studio has, in the form in which Label Studio names them."""
    return f"{random.randint(990_000_000, 999_999_999)}.{int(time.time())}"  # noqa: S311 - no secret


@dataclass(frozen=True, kw_only=True)
class PlayedProject:
    """What the backend gets to see."""

    throw_away: str = field(default_factory=throw_away_name)
    """The name under which the backend is told everything that changes something."""

    real: str = ""
    """The name under which Label Studio has set the project up on this backend already, if it has.

    Predictions are asked for under this name, so that they come from the version in use.
    """
    real_version: str = ""
    """The version that the backend named then."""

    label_config: str = ANY_CONFIG
    config_given: bool = False
    """Whether the labeling config is somebody's; if not, it is made up."""

    tasks: Sequence[Json] = ()
    """The tasks that predictions are asked for: two at least, as one alone would not show a wrong count."""
    tasks_made_up: bool = True
    """Whether they are no tasks of a project."""

    interactive: bool = False
    """Whether the project has interactive preannotations on."""

    extra_params: Json | None = None
    """What people gave with the backend in Label Studio."""

    webhook_headers: dict[str, str] = field(default_factory=dict)
    """What Label Studio sends with events."""
    webhook_known: bool = False
    """Whether these headers were read in Label Studio."""

    label_studio_url: str = ""
    label_studio_api_key: str = field(default="", repr=False)

    @property
    def predicted(self) -> str:
        """The name under which predictions are asked for."""
        return self.real or self.throw_away

    @property
    def interface(self) -> LabelInterface:
        """The SDK's view of the labeling config, by which Label Studio checks predictions."""
        return LabelInterface(self.label_config)

    def with_tasks(self, label_studio_url: str) -> PlayedProject:
        """The same with made-up tasks where it has none; their media are fetched from this Label Studio."""
        if self.tasks:
            return self
        return replace(self, tasks=sample_tasks(self.label_config, 2, label_studio_url), tasks_made_up=True)

    @property
    def is_conclusive(self) -> bool:
        """Whether a failure means something: not where the labeling config or the media are made up."""
        media = any(item.tag in _MEDIA for item in self.interface.objects)
        return self.config_given and not (self.tasks_made_up and media)


def sample_tasks(label_config: str, count: int, label_studio_url: str = "") -> list[Json]:
    """Tasks made up for a labeling config, in the form in which Label Studio sends tasks.

    Args:
        label_config: XML.
        count: how many.
        label_studio_url: where sample media are fetched from; Label Studio's default address without.
    """
    data = LabelInterface(label_config).generate_sample_task()
    if label_studio_url:
        data = {
            name: value.replace("http://localhost:8080", label_studio_url.rstrip("/"))
            if isinstance(value, str)
            else value
            for name, value in data.items()
        }
    return [records.task(number, data) for number in range(1, count + 1)]
