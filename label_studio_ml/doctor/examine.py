"""The whole examination of a backend, and of the Label Studio that it is connected with."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace

from label_studio_sdk.label_interface import LabelInterface

from ..errors import UsageError, one_line
from ..label_studio.project import LabelStudioApi
from ..wire.deadlines import Deadlines
from . import access, backend, connection, project, reachable_media
from .caller import Caller
from .findings import Finding, Findings
from .played_project import PlayedProject


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is to be looked at."""

    url: str
    """The backend's address from here."""
    url_for_label_studio: str = ""
    """Its address from Label Studio's machine, where that is another one."""
    user: str = ""
    password: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)
    """What events carry in the header `X-Webhook-Secret`."""
    label_studio_url: str = ""
    """Without it, the backend alone is looked at."""
    label_studio_api_key: str = field(default="", repr=False)
    project: int | None = None
    """The project's number in Label Studio."""
    label_config: str = ""
    """XML; without it that of the project, else a made-up one."""
    deadlines: Deadlines = field(default_factory=Deadlines)


def examine(question: Question) -> list[Finding]:
    """Look at everything that can be looked at; a few seconds, more where something is slow.

    Raises:
        UsageError: the labeling config that was given cannot be understood.
    """
    played = _given(question)
    if not question.label_studio_url:
        return list(_play(question, played).findings)
    findings = Findings("Label Studio")
    api = access.open_api(question.label_studio_url, question.label_studio_api_key, findings)
    if api is None:
        return [*_play(question, played).findings, *findings]
    with contextlib.closing(api):
        about_backend = _examine_both(question, played, api, findings)
    return [*about_backend, *findings]


def _examine_both(question: Question, played: PlayedProject, api: LabelStudioApi, findings: Findings) -> Findings:
    """What is found about the backend; what is found about Label Studio goes into `findings`."""
    url, token = question.label_studio_url.rstrip("/"), question.label_studio_api_key
    played = replace(played, label_studio_url=url, label_studio_api_key=token)
    found = project.read(api, question.project, findings)
    if found is None:
        return _play(question, played).findings
    seen = (question.url_for_label_studio or question.url).rstrip("/")
    connected = connection.find(api, found, seen, findings)
    played = connection.played(connected, played, findings)
    examined = _play(question, played)
    connection.compare(connected, examined, findings, secret=question.webhook_secret)
    reachable_media.check(found, url, token, findings)
    return examined.findings


def _play(question: Question, played: PlayedProject) -> backend.Examined:
    caller = Caller(question.url, question.user, question.password, question.deadlines)
    with contextlib.closing(caller):
        return backend.examine(caller, played.with_tasks(question.label_studio_url))


def _given(question: Question) -> PlayedProject:
    headers = {"X-Webhook-Secret": question.webhook_secret} if question.webhook_secret else {}
    if not question.label_config:
        return PlayedProject(webhook_headers=headers)
    try:
        LabelInterface(question.label_config).validate()
    except Exception as error:  # the SDK raises many kinds for a config it does not understand
        raise UsageError(f"The labeling config is not understood: {one_line(error)}") from error
    return PlayedProject(webhook_headers=headers, label_config=question.label_config, config_given=True)
