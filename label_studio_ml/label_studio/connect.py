"""Connects a backend with a project of Label Studio: its entry there, and the webhook. Changes what differs."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import LabelStudioError
from .project import Json, LabelStudioApi, Refused, essence

CONNECTED = ("CO", "TR", "PR")
"""The states in which Label Studio gets on with a backend."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How a backend is to be connected. What is None stays as it is, or as Label Studio makes it.

    `events`: the actions that the webhook sends. `title_if_new`: for a backend that has none yet.
    """

    project: int
    url: str
    title: str | None = None
    title_if_new: str = "ML backend"
    interactive: bool | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    extra_params: dict[str, Any] | None = None
    webhook_secret: str = field(default="", repr=False)
    events: list[str] | Literal["all"] | None = None
    replace: bool = False


def connect(api: LabelStudioApi, wish: Wish) -> tuple[Json, list[str]]:
    """Connect, or bring an existing connection into the form that is wished for.

    Returns:
        The backend as Label Studio has it now, and a sentence for each thing that was changed.

    Raises:
        LabelStudioError: it cannot be done; the message says why and what to do.
    """
    try:
        project = api.project(wish.project)
        backends = api.backends(wish.project)
    except Refused as refused:
        raise _explained(refused, wish) from refused
    existing = _existing(backends, wish)
    done: list[str] = []
    try:
        if existing is None:
            before = ""
            backend = api.create_backend(_new_backend(wish))
            done.append(f"Connected {wish.url} with project {wish.project} ({project['title']}).")
        else:
            before = existing["url"].rstrip("/")
            backend = _update_backend(api, existing, wish, done)
        _settle_webhook(api, wish, before, done)
        if project.get("show_collab_predictions") and not project.get("model_version"):
            _show_predictions(api, wish.project, backend["title"], done)
    except Refused as refused:
        raise _explained(refused, wish) from refused
    return backend, done


def _existing(backends: list[Json], wish: Wish) -> Json | None:
    same = [one for one in backends if one["url"].rstrip("/") == wish.url]
    if same:
        return same[0]
    if not backends:
        return None
    if wish.replace:
        return backends[0]
    others = ", ".join(one["url"] for one in backends)
    raise LabelStudioError(
        f"Project {wish.project} is connected with {others} already, and Label Studio asks only the first of a "
        "project's models for predictions. Use --replace to put this one in its place."
    )


def _new_backend(wish: Wish) -> Json:
    body: Json = {"project": wish.project, "url": wish.url, "title": wish.title or wish.title_if_new}
    if wish.interactive is not None:
        body["is_interactive"] = wish.interactive
    if wish.extra_params is not None:
        body["extra_params"] = wish.extra_params
    if wish.user:
        body |= {"auth_method": "BASIC_AUTH", "basic_auth_user": wish.user, "basic_auth_pass": wish.password}
    return body


def _update_backend(api: LabelStudioApi, existing: Json, wish: Wish, done: list[str]) -> Json:
    wanted: Json = {"url": wish.url}
    if wish.title is not None:
        wanted["title"] = wish.title
    if wish.interactive is not None:
        wanted["is_interactive"] = wish.interactive
    if wish.extra_params is not None:
        wanted["extra_params"] = wish.extra_params
    if wish.user:
        wanted |= {"auth_method": "BASIC_AUTH", "basic_auth_user": wish.user}
    changes = {name: value for name, value in wanted.items() if existing.get(name) != value}
    if changes.get("url", "").rstrip("/") == existing["url"].rstrip("/"):
        del changes["url"]
    # A stored password cannot be read. Label Studio has just tried it: where that went well, it is the right one.
    works = existing.get("state") in CONNECTED and existing.get("basic_auth_pass_is_set")
    if wish.user and not works:
        changes["basic_auth_pass"] = wish.password
    if not changes:
        return existing
    locked = wish.user or existing.get("auth_method") == "BASIC_AUTH"
    body: Json = {
        "project": wish.project,  # Label Studio tries the connection with what is in this call alone
        "url": wish.url,
        "auth_method": existing.get("auth_method") or "NONE",
        "extra_params": existing.get("extra_params"),
        **(
            {"basic_auth_user": existing.get("basic_auth_user"), "basic_auth_pass": wish.password} if locked else {}
        ),
        **changes,
    }
    backend = api.update_backend(existing["id"], body)
    done += [_said(name, changes[name]) for name in changes]
    return backend


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


def _settle_webhook(api: LabelStudioApi, wish: Wish, before: str, done: list[str]) -> None:
    url = f"{wish.url}/webhook"
    webhooks = api.webhooks(wish.project)
    found = [one for one in webhooks if one["url"] == url]
    if not found and before:
        found = [one for one in webhooks if one["url"] == f"{before}/webhook"]  # the backend has moved
    if not found:
        made = {"url": url, "project": wish.project, "send_payload": True, "send_for_all_actions": True}
        found = [api.create_webhook(made)]
        done.append(f"Made a webhook to {url}.")
    webhook = found[0]
    wanted: Json = {
        "url": url,
        "is_active": True,
        "send_payload": True,
        "headers": _headers(webhook, wish),
    }
    if wish.events == "all":
        wanted |= {"send_for_all_actions": True, "actions": []}
    elif wish.events is not None:
        wanted |= {"send_for_all_actions": False, "actions": sorted(wish.events)}
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


def _headers(webhook: Json, wish: Wish) -> dict[str, str]:
    """The webhook's own headers, and the credentials: the secret, or else user and password."""
    headers = dict(webhook.get("headers") or {})
    if wish.webhook_secret:
        headers["X-Webhook-Secret"] = wish.webhook_secret
        headers.pop("Authorization", None)
    elif wish.user:
        encoded = base64.b64encode(f"{wish.user}:{wish.password}".encode()).decode()
        headers["Authorization"] = f"Basic {encoded}"
    return headers


def _explained(refused: Refused, wish: Wish) -> LabelStudioError:
    """The refusal as somebody who wants to connect understands it."""
    detail = refused.detail
    if refused.local_address:
        text = (
            f"Label Studio protects itself from local addresses and refuses {wish.url}. Start it with "
            "ML_BLOCK_LOCAL_IP=false SSRF_PROTECTION_ENABLED=false in its environment, or give the backend a "
            "public address."
        )
    elif refused.status == 401:
        text = (
            f"Label Studio refuses the token: {detail} Give a valid one with --label-studio-api-key or "
            "LABEL_STUDIO_API_KEY (Account & Settings, Personal Access Token)."
        )
    elif refused.status == 404:
        text = f"There is no project {wish.project} that this user may see. Its number is in its page's address."
    elif refused.status == 403:
        text = f"This user may not change project {wish.project}: {detail} Use the token of somebody who may."
    elif "authentication parameters" in detail or "401 Client Error" in detail:
        text = (
            "The backend wants a user and a password, or others than these: --basic-auth-user, --basic-auth-pass, "
            "as it was started with."
        )
    elif "health check failed" in detail or "resolve hostname" in detail:
        text = (
            f"Label Studio cannot reach {wish.url}: {essence(detail)}. Give an address that it does reach, as "
            "seen from its machine or container (--url-for-label-studio)."
        )
    elif "doesn't look like a valid ML backend" in detail:
        text = (
            f"Label Studio reaches {wish.url}, but its setup fails: {essence(detail)}. Its log and "
            "`label-studio-ml doctor` say why."
        )
    elif refused.status == 0:
        text = f"Label Studio does not answer: {detail}. Is --label-studio-url right?"
    else:
        text = str(refused)
    return LabelStudioError(text)
