"""A `LabelStudioApi` that answers what a test has it answer: one project with backends and webhooks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from label_studio_ml.label_studio.project import CallRefused, LabelStudioApi
from label_studio_ml.label_studio.sentences import detail_of
from label_studio_ml.wire import records
from tests.support.in_process_backend import CONFIG
from tests.support.paths import REFUSALS

Json = dict[str, Any]
BACKEND = "http://backend:9090"
_RECORDED: dict[str, Json] = json.loads(REFUSALS.read_text())


def said(name: str) -> str:
    """What Label Studio said in a recorded refusal."""
    recorded = _RECORDED[name]
    return detail_of(httpx.Response(recorded["status"], json=recorded["body"]))


def backend(url: str = BACKEND, **changed: Any) -> Json:
    """A backend as Label Studio has it when all is well."""
    well = {"id": 1, "url": url, "title": "Mine", "state": "CO", "readable_state": "Connected"}
    return {**well, "error_message": None, "model_version": "1", "is_interactive": False, **changed}


def webhook(url: str = f"{BACKEND}/webhook", **changed: Any) -> Json:
    """A webhook as Label Studio has it when all is well."""
    well = {"id": 1, "url": url, "is_active": True, "send_payload": True, "send_for_all_actions": True}
    return {**well, "actions": [], "headers": {}, **changed}


@dataclass(kw_only=True)
class Answers(LabelStudioApi):
    """What it answers; no call goes anywhere."""

    label_config: str = CONFIG
    found_tasks: list[Json] = field(default_factory=lambda: [records.task(1, {"text": "a"})])
    of_project: Json = field(default_factory=lambda: {"model_version": "Mine"})
    """What else it says about the project."""
    found_backends: list[Json] = field(default_factory=lambda: [backend()])
    found_webhooks: list[Json] = field(default_factory=lambda: [webhook()])
    at_address: str = ""
    """What Label Studio says when it calls the backend's address."""
    at_webhook: str = ""
    """What it says against the webhook's address."""
    refused: CallRefused | None = None
    """What reading the project comes to."""

    def project(self, project: int) -> Json:
        if self.refused is not None:
            raise self.refused
        return {**records.project(project, self.label_config, "Reviews"), **self.of_project}

    def tasks(self, project: int, count: int) -> list[Json]:
        return self.found_tasks[:count]

    def backends(self, project: int) -> list[Json]:
        return self.found_backends

    def webhooks(self, project: int) -> list[Json]:
        return self.found_webhooks

    def try_backend_address(self, project: int, url: str) -> str:
        return self.at_address

    def webhook_address_refused(self, project: int, url: str) -> str:
        return self.at_webhook
