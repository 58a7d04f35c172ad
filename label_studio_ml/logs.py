"""Logging for every process of the server: one format, secrets blanked out at every level."""

from __future__ import annotations

import logging
import re
import sys

_QUOTE = r"(?:\\*['\"])?"
_OPEN = r"(?:b?\\*['\"])?"
_VALUE = r"(?!None\b|null\b)(?:(?<=['\"])[^'\"\\]+|[^\s'\",;&(){}\[\]\\]+)"
_NAMES = (
    r"(?:access|refresh|auth|api|user|security)[_-]token|api[_-]?key|passw(?:or)?d|basic_auth_pass|secret"
    r"|(?:amz|goog)-signature|\brefresh|\baccess|sessionid"
)
_SECRETS = [
    # A header, as text, in a dict, as a pair of strings or of bytes.
    rf"((?:authorization|x-webhook-secret)(?:{_QUOTE}\s*[:=]|['\"],)\s*{_OPEN}(?:(?:basic|token|bearer)\s+)?){_VALUE}",
    # A named value: `password=…`, `"access_token": "…"`, `LABEL_STUDIO_API_KEY=…`.
    rf"((?:{_NAMES}){_QUOTE}\s*[:=]\s*{_OPEN}){_VALUE}",
    # A bare `token` is also a word of language models: only what is long enough for a credential counts.
    rf"(\btoken{_QUOTE}\s*[:=]\s*{_OPEN})[\w.~+/=-]{{16,}}",
    # A scheme without its header; prose about tokens stays.
    r"(\b(?:basic|token|bearer)\s+)(?=(?-i:\S*(?:[a-z][A-Z]|\d|=)))[\w.~+/=-]{8,}",
    r"(://[^/\s:@]*:)[^/\s@]+(?=@)",
    r"()\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*",
]
_SECRETS_ANYWHERE = [re.compile(pattern, re.IGNORECASE) for pattern in _SECRETS]


def redact(text: str) -> str:
    """Blank out what looks like a credential.

    >>> redact("headers: {'Authorization': 'Token 0123456789abcdef'}")
    "headers: {'Authorization': 'Token ***'}"
    """
    for pattern in _SECRETS_ANYWHERE:
        text = pattern.sub(r"\1***", text)
    return text


class RedactingFormatter(logging.Formatter):
    """A formatter whose output never shows a credential, whoever logged it."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record, tracebacks included, then blank out secrets."""
        return redact(super().format(record))


def configure(level: str, process: str) -> None:
    """Send log records of this process to stderr. `process` says which one speaks (`web`, `worker 1`)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        RedactingFormatter(f"%(asctime)s %(levelname)-7s [{process}] %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")
    )
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("label_studio_ml") and isinstance(logger, logging.Logger):
            logger.disabled = False  # `_wsgi.py` of older packages switches off every logger it finds
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "httpcore", "urllib3", "asyncio", "alembic", "sqlalchemy"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
