"""The credentials that a process knows, so that its log can blank them out."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from . import environment
from .fields import Settings

_CREDENTIAL = re.compile(
    r"(?:^|[_-])(?:token|secret|passw(?:or)?d|pass|(?:api|access|private|secret)[_-]?key|credentials?)$",
    re.IGNORECASE,
)


def secrets(settings: Settings, environ: Mapping[str, str] | None = None) -> list[str]:
    """Every credential in the settings and in the environment, in the forms in which it may show up in a log."""
    environ = environment.variables() if environ is None else environ
    found = [settings.basic_auth_pass, settings.webhook_secret, settings.label_studio_api_key]
    login = f"{settings.basic_auth_user}:{settings.basic_auth_pass}"
    if settings.basic_auth_pass:
        found += [base64.b64encode(login.encode(encoding, "replace")).decode() for encoding in ("utf-8", "latin-1")]
    if password := re.search(r"://[^/\s:@]*:([^/\s]+)@", settings.database_url):
        found += [password[1], unquote(password[1])]
    return [*filter(None, found), *named_secrets(environ)]


def named_secrets(mapping: Mapping[str, Any]) -> list[str]:
    """The values whose names say that they are credentials.

    >>> named_secrets({"HF_TOKEN": "hf_1", "tokenizer": "fast", "n": 3})
    ['hf_1']
    """
    return [
        value for name, value in mapping.items() if isinstance(value, str) and value and _CREDENTIAL.search(name)
    ]
