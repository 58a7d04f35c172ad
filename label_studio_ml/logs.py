"""Logging for every process of the server: one format, secrets blanked out at every level."""

from __future__ import annotations

import logging
import re
import sys

_SECRETS = re.compile(
    r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?(?:basic|token|bearer)\s+|\btoken\s+|\bbearer\s+"
    r"|(?:access_token|api_key|refresh|password|x-webhook-secret)['\"]?\s*[:=]\s*['\"]?)"
    r"([A-Za-z0-9._~+/=-]{6,})"
)


def redact(text: str) -> str:
    """Blank out what looks like a credential.

    >>> redact("headers: {'Authorization': 'Token 0123456789abcdef'}")
    "headers: {'Authorization': 'Token ***'}"
    """
    return _SECRETS.sub(r"\1***", text)


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
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "httpcore", "urllib3", "asyncio", "alembic", "sqlalchemy"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
