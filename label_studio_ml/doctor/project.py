"""The project in Label Studio that is asked about: whether it can be read, and what can be predicted in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from label_studio_sdk.label_interface import LabelInterface

from ..label_studio.project import CallRefused, LabelStudioApi
from .findings import Findings

Json = dict[str, Any]

_TASKS = 2


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project whose labeling config has controls."""

    number: int
    record: Json
    """What Label Studio says about it."""
    tasks: list[Json]
    """Its first tasks, two at most."""

    @property
    def label_config(self) -> str:
        """XML."""
        return str(self.record["label_config"])

    @property
    def name(self) -> str:
        """As backends are told: its number, and when it was made."""
        made = datetime.fromisoformat(self.record["created_at"].replace("Z", "+00:00"))
        return f"{self.number}.{int(made.timestamp())}"


def read(api: LabelStudioApi, number: int | None, findings: Findings) -> Project | None:
    """Read a project and some of its tasks; None where that cannot be done, or nothing can be predicted in it."""
    if number is None:
        findings.warning(
            "project",
            "No project was given, so its connection was not checked.",
            "Give its number with --project N; it is in the address of the project's page.",
        )
        return None
    try:
        record, tasks = api.project(number), api.tasks(number, _TASKS)
    except CallRefused as refused:
        if refused.status in (403, 404):
            findings.problem(
                "project",
                f"There is no project {number} that this user may see.",
                "Look up the number in the address of the project's page, or use the token of a member.",
            )
        else:
            findings.problem("project", str(refused), "Look at Label Studio's log.")
        return None
    found = Project(number=number, record=record, tasks=tasks)
    return found if _can_be_predicted(found, findings) else None


def _can_be_predicted(project: Project, findings: Findings) -> bool:
    try:
        interface = LabelInterface(project.label_config)
        interface.validate()
        controls = len(interface.controls)
    except Exception as error:  # noqa: BLE001 - the SDK raises many kinds for a config it does not understand
        findings.problem(
            "labeling config",
            f"The labeling config of project {project.number} is not understood: {error}",
            "Correct it in Settings, Labeling Interface.",
        )
        return False
    if not controls:
        findings.problem(
            "labeling config",
            f"Project {project.number} has no labeling config yet, so nothing can be predicted.",
            "Set one up in Settings, Labeling Interface.",
        )
        return False
    noun = "control" if controls == 1 else "controls"
    findings.ok("labeling config", f"Project {project.number} has {controls} {noun}.")
    return True
