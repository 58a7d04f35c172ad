"""A running backend: where it is, what it says about itself, whether it takes a webhook's credentials."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import httpx

from .. import settings
from ..author import source
from ..errors import UsageError
from ..settings import Settings


def address_of(target: str) -> str:
    """The address of a running backend, given that or its folder.

    Raises:
        UsageError: it is neither, or no server of this folder runs.
    """
    if target.startswith(("http://", "https://")):
        return target.rstrip("/")
    if re.fullmatch(r"[\w.-]+:\d+(/.*)?", target):
        raise UsageError(f"{target} is no folder; if it is an address, write http://{target}.")
    if "://" in target:
        raise UsageError(f"{target} must begin with http:// or https://.")
    running = running_at(settings.load(default_model_dir=source.locate(target).folder / "model-data"))
    if running is None:
        raise UsageError(
            f"No server of {target} runs on this machine. Start it with `label-studio-ml start {target}`, or give "
            "the address of one that runs elsewhere."
        )
    return running


def state_of(url: str, config: Settings) -> dict[str, Any]:
    """What a running backend says about itself; nothing where it cannot be reached, or is of an older package."""
    auth = (config.basic_auth_user, config.basic_auth_pass) if config.basic_auth_user else None
    try:
        found = httpx.get(f"{url}/health", auth=auth, timeout=10).json()
    except (httpx.HTTPError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def check_webhook(url: str, config: Settings) -> None:
    """Try the credentials that a webhook will carry, with a call that is no event and so starts nothing.

    Raises:
        UsageError: it refuses them.
    """
    headers = {"X-Webhook-Secret": config.webhook_secret} if config.webhook_secret else {}
    user = config.basic_auth_user
    auth = (user, config.basic_auth_pass) if user and not config.webhook_secret else None
    try:
        reply = httpx.post(f"{url}/webhook", json={}, headers=headers, auth=auth, timeout=10)
    except httpx.HTTPError:
        return
    if reply.status_code == 401 and config.webhook_secret:
        raise UsageError(
            "The backend refuses this webhook secret. Start it with the same --webhook-secret (or "
            "LABEL_STUDIO_ML_WEBHOOK_SECRET) as is given here."
        )
    if reply.status_code == 401:
        raise UsageError("The backend wants a user and a password: --basic-auth-user, --basic-auth-pass.")


def running_at(config: Settings) -> str | None:
    """The address of the server that uses this model folder, if one runs on this machine."""
    path = Path(config.model_dir, "server.json")
    try:
        if path.stat().st_uid not in {getattr(os, "getuid", int)(), path.parent.stat().st_uid, 0}:
            return None  # who put it there would get our password
        said = json.loads(path.read_text())
        os.kill(int(said["pid"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(said["url"])
