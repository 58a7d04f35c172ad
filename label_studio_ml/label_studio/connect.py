"""Connects a backend with a project of Label Studio: its entry there, and the webhook. Changes what differs."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import LabelStudioError
from .project import CallRefused, Json, LabelStudioApi
from .sentences import Meaning, cause

CONNECTED = ("CO", "TR", "PR")
"""The states of a backend that Label Studio reaches: connected, training, predicting."""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How a backend is to be connected. What is None stays as it is, or as Label Studio makes it."""

    project: int
    url: str
    """The backend's address as Label Studio reaches it."""
    title: str | None = None
    title_if_new: str = "ML backend"
    """The title of a backend that has none yet."""
    interactive: bool | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    extra_params: dict[str, Any] | None = None
    webhook_secret: str = field(default="", repr=False)
    events: list[str] | Literal["all"] | None = None
    """The events that the webhook sends."""
    replace: bool = False
    """Whether to take the place of another backend."""


def connect(api: LabelStudioApi, connection: Connection) -> tuple[Json, list[str]]:
    """Connect, or bring an existing connection into the form that is wanted.

    Returns:
        The backend as Label Studio has it now, and a sentence for each thing that was changed.

    Raises:
        LabelStudioError: it cannot be done; the message says why and what to do.
    """
    try:
        project = api.project(connection.project)
        backends = api.backends(connection.project)
    except CallRefused as refused:
        raise _explained(refused, connection) from refused
    existing = _existing(backends, connection)
    done: list[str] = []
    try:
        if existing is None:
            before = ""
            backend = api.create_backend(_new_backend(connection))
            done.append(f"Connected {connection.url} with project {connection.project} ({project['title']}).")
        else:
            before = existing["url"].rstrip("/")
            backend = _update_backend(api, existing, connection, done)
        _settle_webhook(api, connection, before, done)
        if project.get("show_collab_predictions") and not project.get("model_version"):
            _show_predictions(api, connection.project, backend["title"], done)
    except CallRefused as refused:
        raise _explained(refused, connection) from refused
    return backend, done


def _existing(backends: list[Json], connection: Connection) -> Json | None:
    same = [one for one in backends if one["url"].rstrip("/") == connection.url]
    if same:
        return same[0]
    if not backends:
        return None
    if connection.replace:
        return backends[0]
    others = ", ".join(one["url"] for one in backends)
    raise LabelStudioError(
        f"Project {connection.project} is connected with {others} already, and Label Studio asks only the first of "
        "a project's models for predictions. Use --replace to put this one in its place."
    )


def _new_backend(connection: Connection) -> Json:
    title = connection.title or connection.title_if_new
    body: Json = {"project": connection.project, "url": connection.url, "title": title}
    if connection.interactive is not None:
        body["is_interactive"] = connection.interactive
    if connection.extra_params is not None:
        body["extra_params"] = connection.extra_params
    if connection.user:
        login = {"basic_auth_user": connection.user, "basic_auth_pass": connection.password}
        body |= {"auth_method": "BASIC_AUTH", **login}
    return body


def _update_backend(api: LabelStudioApi, existing: Json, connection: Connection, done: list[str]) -> Json:
    changes = _changes(existing, connection)
    if not changes:
        return existing
    locked = connection.user or existing.get("auth_method") == "BASIC_AUTH"
    login = {"basic_auth_user": existing.get("basic_auth_user"), "basic_auth_pass": connection.password}
    body: Json = {
        "project": connection.project,  # Label Studio tries the connection with what is in this call alone
        "url": connection.url,
        "auth_method": existing.get("auth_method") or "NONE",
        "extra_params": existing.get("extra_params"),
        **(login if locked else {}),
        **changes,
    }
    backend = api.update_backend(existing["id"], body)
    done += [_said(name, changes[name]) for name in changes]
    return backend


def _changes(existing: Json, connection: Connection) -> Json:
    """The fields of a backend that differ, with their new values."""
    wanted: Json = {
        "title": connection.title,
        "is_interactive": connection.interactive,
        "extra_params": connection.extra_params,
    }
    if connection.user:
        wanted |= {"auth_method": "BASIC_AUTH", "basic_auth_user": connection.user}
    changes: Json = {"url": connection.url} if connection.url.rstrip("/") != existing["url"].rstrip("/") else {}
    changes |= {name: value for name, value in wanted.items() if value is not None and existing.get(name) != value}
    # A stored password cannot be read. Label Studio has just tried it: where that went well, it is the right one.
    works = existing.get("state") in CONNECTED and existing.get("basic_auth_pass_is_set")
    if connection.user and not works:
        changes["basic_auth_pass"] = connection.password
    return changes


def _show_predictions(api: LabelStudioApi, project: int, title: str, done: list[str]) -> None:
    """Label Studio does this when it makes a backend, but not when that was interrupted."""
    if not api.project(project).get("model_version"):
        api.update_project(project, {"model_version": title})
        done.append(f"The project shows the predictions of {title!r} now.")


def _said(name: str, value: Any) -> str:
    return {
        "url": f"Its address is {value} now.",
        "title": f"It is called {value!r} now.",
        "is_interactive": f"Interactive preannotations are {'on' if value else 'off'} now.",
        "extra_params": f"It gets these extra parameters now: {value}.",
        "auth_method": "Label Studio sends a user and a password now.",
        "basic_auth_user": f"The user is {value!r} now.",
        "basic_auth_pass": "Label Studio has the new password.",
    }[name]


# --- webhook -----------------------------------------------------------------------------------------------


def _settle_webhook(api: LabelStudioApi, connection: Connection, before: str, done: list[str]) -> None:
    url = f"{connection.url}/webhook"
    webhooks = api.webhooks(connection.project)
    found = [one for one in webhooks if one["url"] == url]
    if not found and before:
        found = [one for one in webhooks if one["url"] == f"{before}/webhook"]  # the backend has moved
    if not found:
        made = {"url": url, "project": connection.project, "send_payload": True, "send_for_all_actions": True}
        found = [api.create_webhook(made)]
        done.append(f"Made a webhook to {url}.")
    webhook = found[0]
    wanted: Json = {
        "url": url,
        "is_active": True,
        "send_payload": True,
        "headers": _headers(webhook, connection),
    }
    if connection.events == "all":
        wanted |= {"send_for_all_actions": True, "actions": []}
    elif connection.events is not None:
        wanted |= {"send_for_all_actions": False, "actions": sorted(connection.events)}
    present = {**webhook, "actions": sorted(webhook.get("actions") or []), "headers": webhook.get("headers") or {}}
    changes = [name for name in wanted if present[name] != wanted[name]]
    if not changes:
        return
    api.update_webhook(webhook["id"], {"actions": present["actions"], **wanted})
    if "headers" in changes:
        done.append(f"The webhook carries {' and '.join(sorted(wanted['headers']))} now.")
    if "url" in changes:
        done.append(f"The webhook goes to {url} now.")
    if {"is_active", "send_payload"} & set(changes):
        done.append("The webhook is active now, and sends its payload.")
    if {"send_for_all_actions", "actions"} & set(changes):
        kept = ", ".join(wanted["actions"]) or "every event"
        done.append(f"The webhook sends {kept}.")


def _headers(webhook: Json, connection: Connection) -> dict[str, str]:
    """The webhook's own headers, and the credentials: the secret, or else user and password."""
    headers = dict(webhook.get("headers") or {})
    if connection.webhook_secret:
        headers["X-Webhook-Secret"] = connection.webhook_secret
        headers.pop("Authorization", None)
    elif connection.user:
        encoded = base64.b64encode(f"{connection.user}:{connection.password}".encode()).decode()
        headers["Authorization"] = f"Basic {encoded}"
    return headers


def _explained(refused: CallRefused, connection: Connection) -> LabelStudioError:
    """The refusal as somebody who wants to connect understands it."""
    url, project, detail = connection.url, connection.project, refused.detail
    by_status = {
        401: f"Label Studio refuses the token: {detail} Give a valid one with --label-studio-api-key or "
        "LABEL_STUDIO_API_KEY (Account & Settings, Personal Access Token).",
        403: f"This user may not change project {project}: {detail} Use the token of somebody who may.",
        404: f"There is no project {project} that this user may see. Its number is in its page's address.",
        0: f"Label Studio does not answer: {detail}. Is --label-studio-url right?",
    }
    unreachable = (
        f"Label Studio cannot reach {url}: {cause(detail)}. Give an address that it does reach, as seen from its "
        "machine or container (--url-for-label-studio)."
    )
    by_meaning = {
        Meaning.LOCAL_ADDRESS: f"Label Studio protects itself from local addresses and refuses {url}. Start it "
        "with ML_BLOCK_LOCAL_IP=false SSRF_PROTECTION_ENABLED=false in its environment, or give the backend a "
        "public address.",
        Meaning.WANTS_PASSWORD: "The backend wants a user and a password, or others than these: --basic-auth-user, "
        "--basic-auth-pass, as it was started with.",
        Meaning.SETUP_FAILED: f"Label Studio reaches {url}, but its setup fails: {cause(detail)}. Its log and "
        "`label-studio-ml doctor` say why.",
        **dict.fromkeys((Meaning.NO_SUCH_PATH, Meaning.UNKNOWN_HOST, Meaning.UNREACHABLE), unreachable),
    }
    if refused.meaning is Meaning.LOCAL_ADDRESS or refused.status not in by_status:
        return LabelStudioError(by_meaning.get(refused.meaning, str(refused)))
    return LabelStudioError(by_status[refused.status])
