"""What is played before a backend: which project, labeling config and tasks, and with which credentials."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any

from label_studio_sdk.label_interface import LabelInterface

from ..wire import records

ANY_CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="choice" toName="text">'
    '<Choice value="Yes"/><Choice value="No"/></Choices></View>'
)
_MEDIA = {"Image", "Audio", "AudioPlus", "Video", "Pdf", "PDF", "TimeSeries"}


def throw_away_project() -> str:
    """A project that no Label Studio has, in the form in which Label Studio names them."""
    return f"{random.randint(990_000_000, 999_999_999)}.{int(time.time())}"  # noqa: S311 - no secret


@dataclass(kw_only=True)
class Scene:
    """See above.

    `real` is the name of a project that Label Studio has set up on this backend already, and `real_version` what it
    was told then: predictions are asked for it, so that they come from the version in use. Everything that changes
    something uses `throw_away`. `made_up`: the tasks are no tasks of a project.
    """

    label_config: str = ANY_CONFIG
    config_given: bool = False
    throw_away: str = field(default_factory=throw_away_project)
    real: str = ""
    real_version: str = ""
    extra_params: dict[str, Any] | None = None
    tasks: list[dict[str, Any]] = field(default_factory=list)
    made_up: bool = True
    webhook_headers: dict[str, str] = field(default_factory=dict)
    webhook_known: bool = False
    interactive: bool = False
    label_studio_url: str = ""
    label_studio_api_key: str = field(default="", repr=False)

    @property
    def predicted_project(self) -> str:
        """The project that predictions are asked for."""
        return self.real or self.throw_away

    @property
    def telling(self) -> bool:
        """Whether a failure means something: not where the labeling config or the media were made up."""
        media = any(item.tag in _MEDIA for item in interface(self.label_config).objects)
        return self.config_given and not (self.made_up and media)


def interface(label_config: str) -> LabelInterface:
    """The SDK's view of a labeling config, by which Label Studio checks predictions."""
    return LabelInterface(label_config)


def sample_tasks(label_config: str, count: int, label_studio_url: str = "") -> list[dict[str, Any]]:
    """Tasks made up for a labeling config, in the form in which Label Studio sends tasks.

    Args:
        label_config: XML.
        count: how many.
        label_studio_url: where sample media are fetched from; Label Studio's default address without.
    """
    data = interface(label_config).generate_sample_task()
    if label_studio_url:
        data = {
            name: value.replace("http://localhost:8080", label_studio_url.rstrip("/"))
            if isinstance(value, str)
            else value
            for name, value in data.items()
        }
    return [records.task(number, data) for number in range(1, count + 1)]
