"""How Label Studio has connected a project with a backend: before the play, and compared with it afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from ..label_studio.project import CallRefused, LabelStudioApi
from ..label_studio.sentences import Meaning, cause, meaning
from . import webhook
from .address import Met, try_address
from .backend import Examined
from .findings import Findings
from .played_project import PlayedProject
from .project import Project

Json = dict[str, Any]

_WORKING = ("CO", "TR", "PR")
"""States of a backend that answers: connected, training, predicting."""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A project and the backend that is looked at, as Label Studio has them."""

    project: Project
    url: str
    """The backend's address, as Label Studio calls it."""
    backend: Json
    """What Label Studio says about the backend; empty where it is not connected."""
    webhook: Json
    """The webhook to the backend; empty where there is none."""


def find(api: LabelStudioApi, project: Project, url: str, findings: Findings) -> Connection:
    """Find the backend and its webhook among those of the project."""
    search = _Search(api, project.number, findings)
    backend = search.backend(url)
    if not backend:
        return Connection(project=project, url=url, backend={}, webhook={})
    url = backend["url"].rstrip("/")
    found = webhook.find(api, project.number, url, findings)
    return Connection(project=project, url=url, backend=backend, webhook=found)


def played(connection: Connection, before: PlayedProject, findings: Findings) -> PlayedProject:
    """What to play: the project as it is, under its own name where the backend knows it already."""
    project, backend = connection.project, connection.backend
    changed: Json = {"label_config": project.label_config, "config_given": True}
    if project.tasks:
        tasks = project.tasks if len(project.tasks) > 1 else project.tasks * 2
        changed |= {"tasks": tasks, "tasks_made_up": False}
    else:
        what = f"Project {project.number} has no tasks, so made-up ones are used."
        findings.warning("tasks", what, "Import at least one.")
    if backend:
        params = backend.get("extra_params")
        changed["extra_params"] = params if isinstance(params, dict) else None
        changed["interactive"] = bool(backend.get("is_interactive"))
    if backend.get("state") in _WORKING:
        changed |= {"real": project.name, "real_version": str(backend.get("model_version") or "")}
    if connection.webhook:
        headers = dict(connection.webhook.get("headers") or {})
        changed |= {"webhook_headers": headers, "webhook_known": True}
    return replace(before, **changed)


def compare(connection: Connection, examined: Examined, findings: Findings, *, secret: str) -> None:
    """Compare with what came of the play.

    Args:
        connection: as it was found.
        examined: what the backend did and said.
        findings: where what is found goes.
        secret: the webhook secret that was given, if any.
    """
    if connection.webhook:
        connect = f"label-studio-ml connect {connection.url} --project {connection.project.number}"
        webhook.compare(connection.webhook, examined, connect, findings, secret=secret)
    if connection.backend:
        _visibility(connection.backend, connection.project.record, findings)


class _Search:
    """Looks for a backend among those of a project, and for the reason where something is wrong with it."""

    def __init__(self, api: LabelStudioApi, project: int, findings: Findings) -> None:
        self._api, self._project, self._findings = api, project, findings

    def backend(self, url: str) -> Json:
        """The backend with this address, else the only one on the same port; empty where there is neither."""
        try:
            backends = self._api.backends(self._project)
        except CallRefused as refused:
            fix = "Use the token of somebody who may change the project."
            self._findings.problem("connection", str(refused), fix)
            return {}
        same = [one for one in backends if one["url"].rstrip("/") == url]
        alike = [one for one in backends if _port(one["url"]) == _port(url)]
        if not same and len(alike) != 1:
            self._not_connected(url, [one["url"] for one in backends])
            return {}
        found: Json = (same or alike)[0]
        self._state(found)
        if backends[0] is not found:
            self._findings.problem(
                "connection",
                "Label Studio asks only the first of a project's models for predictions, and that is "
                f"{backends[0]['url']}.",
                f"Remove it in Settings, Model, if {found['url'].rstrip('/')} is meant.",
            )
        return found

    def _not_connected(self, url: str, others: list[str]) -> None:
        instead = f", but with {', '.join(others)}" if others else ""
        self._findings.problem(
            "connection",
            f"Project {self._project} is not connected with {url}{instead}.",
            f"Run: {self._connect(url)}{' --replace' if others else ''}",
        )
        if try_address(self._api, self._project, url, self._findings) is not Met.NOTHING:
            self._findings.ok("address", f"Label Studio reaches {url}.")

    def _state(self, backend: Json) -> None:
        """Whether Label Studio can talk to the backend."""
        state, why = backend.get("state"), str(backend.get("error_message") or "")
        url = backend["url"].rstrip("/")
        title = f"{backend.get('title')!r} ({url})"
        if state in _WORKING:
            self._findings.ok("connection", f"Label Studio reaches {title}: {backend.get('readable_state')}.")
            return
        disconnected = state == "DI"
        met = try_address(self._api, self._project, url, self._findings) if disconnected else Met.NOTHING
        if met is Met.LOCK or meaning(why) is Meaning.WANTS_PASSWORD:
            self._findings.problem(
                "connection",
                f"Label Studio has no user and password for {title}, or wrong ones.",
                f"Run: {self._connect(url)} --basic-auth-user USER --basic-auth-pass PASSWORD",
            )
        elif met is Met.SERVER:
            self._findings.problem(
                "connection",
                f"Label Studio shows {title} as disconnected: it reaches the address, but /health does not answer "
                "as it should, or not within 1 s.",
                "Fix what is reported about health above; if nothing is, the network between Label Studio and the "
                "backend is slow.",
            )
        elif not disconnected:
            self._findings.problem(
                "connection",
                f"Label Studio reaches {title}, but its setup fails: {cause(why)}.",
                "Fix what is reported about setup above.",
            )

    def _connect(self, url: str) -> str:
        return f"label-studio-ml connect {url} --project {self._project}"


def _visibility(backend: Json, project: Json, findings: Findings) -> None:
    """Whether annotators get to see the predictions."""
    title, chosen = backend.get("title"), project.get("model_version")
    where = "`Use predictions to prelabel tasks` in the project's Settings, Annotation"
    if not project.get("show_collab_predictions", True):
        what = "The project does not show predictions to annotators."
        findings.warning("shown", what, f"Switch on {where}.")
    elif chosen in (title, backend.get("model_version")):
        findings.ok("shown", f"The project shows predictions of {chosen!r}.")
    else:
        instead = f"those of {chosen!r}" if chosen else "none"
        findings.warning(
            "shown",
            f"The project shows {instead} to annotators, not the predictions of {title!r}.",
            f"Choose {title!r} under {where}.",
        )


def _port(url: str) -> int | None:
    parts = urlsplit(url)
    try:
        return parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
