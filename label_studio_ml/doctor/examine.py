"""The whole examination of a backend, and of the Label Studio that it is connected with."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import UsageError, one_line
from ..wire.deadlines import Deadlines
from .backend import Examination
from .caller import Caller
from .findings import Finding
from .label_studio import Inquiry
from .scene import Scene, interface, sample_tasks


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is to be looked at. `url` is the backend's address from here, `url_for_label_studio` the other one."""

    url: str
    url_for_label_studio: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)
    label_studio_url: str = ""
    label_studio_api_key: str = field(default="", repr=False)
    project: int | None = None
    label_config: str = ""
    deadlines: Deadlines = field(default_factory=Deadlines)


def examine(question: Question) -> list[Finding]:
    """Look at everything that can be looked at; a few seconds, more where something is slow.

    Raises:
        UsageError: the labeling config that was given cannot be understood.
    """
    scene = _scene(question)
    if not question.label_studio_url:
        return list(_play(question, scene).findings)
    seen = question.url_for_label_studio or question.url
    inquiry = Inquiry(question.label_studio_url, question.label_studio_api_key, question.project, seen)
    try:
        inquiry.prepare(scene)
        played = _play(question, scene)
        inquiry.compare(played.state, webhook_refused=played.webhook_refused, secret=question.webhook_secret)
    finally:
        inquiry.close()
    return [*played.findings, *inquiry.findings]


def _play(question: Question, scene: Scene) -> Examination:
    if not scene.tasks:
        scene.tasks = sample_tasks(scene.label_config, 2, question.label_studio_url)
    caller = Caller(question.url, question.user, question.password, question.deadlines)
    try:
        examination = Examination(caller, scene)
        examination.run()
    finally:
        caller.close()
    return examination


def _scene(question: Question) -> Scene:
    scene = Scene()
    if question.webhook_secret:
        scene.webhook_headers = {"X-Webhook-Secret": question.webhook_secret}
    if question.label_config:
        try:
            interface(question.label_config).validate()
        except Exception as error:  # the SDK raises many kinds for a config it does not understand
            raise UsageError(f"The labeling config is not understood: {one_line(error)}") from error
        scene.label_config, scene.config_given = question.label_config, True
    return scene
