"""Logging for every process of the server: one format, secrets blanked out at every level.

Secrets are found in two ways: by how they look and what stands before them, and, those that the process was told of
(`hide`), by their very value, wherever it appears.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

_QUOTE = r"(?:\\*['\"])?"
_OPEN = r"(?:b?\\*['\"])?"
_VALUE = r"(?!None\b|null\b)(?:(?<=['\"])[^'\"\\]+|[^\s'\",;&(){}\[\]\\]+)"
_SCHEMES = r"(?:(?:basic|token|bearer|digest|negotiate|apikey)\s+)?"
_NAMES = (
    r"(?:access|refresh|auth|api|user|security|csrf)[_-]?token|(?:api|access|private|account)[_-]?key|passw(?:or)?d"
    r"|passphrase|basic_auth_pass|secret|signature(?==)|\bsig(?==)|\brefresh|\baccess|sessionid"
)
# Each with the words one of which the text must hold, in lower case: most lines hold none, and looking is cheap.
_RULES = [
    # A header, as text, in a dict, as a pair of strings or of bytes.
    (
        ("authorization", "x-webhook-secret"),
        rf"((?:authorization|x-webhook-secret)(?:{_QUOTE}\s*[:=]|['\"],)\s*{_OPEN}{_SCHEMES}){_VALUE}",
    ),
    (("cookie",), rf"(\b(?:set-)?cookie(?:{_QUOTE}\s*[:=]|['\"],)\s*{_OPEN})[^'\"\r\n]+"),
    # A named value: `password=…`, `"access_token": "…"`, `LABEL_STUDIO_API_KEY=…`.
    (
        ("token", "key", "pass", "secret", "sig", "refresh", "access", "sessionid"),
        rf"((?:{_NAMES}){_QUOTE}(?:\s*[:=]|['\"],)\s*{_OPEN}){_VALUE}",
    ),
    # A bare `token` is also a word of language models: only what is long enough for a credential counts.
    (("token",), rf"(\btoken{_QUOTE}\s*[:=]\s*{_OPEN})[\w.~+/=-]{{16,}}"),
    # A scheme without its header; prose about tokens stays.
    (
        ("basic", "token", "bearer"),
        r"(\b(?:basic|token|bearer)\s+)(?=(?-i:\S*(?:[a-z][A-Z]|\d|=)))[\w.~+/=-]{8,}",
    ),
    # User and password of an address, or a token alone in their place.
    (("://",), r"(://[^/\s:@]*:)[^/\s]+(?=@)"),
    (("://",), r"(://)[^/\s:@]{16,}(?=@)"),
    # What is a credential by its very form. No match may begin inside a word: else long lines would take for ever.
    (("eyj",), r"()(?<![\w-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"),
    (
        ("sk-", "hf_", "gh", "glpat-", "xox", "aiza"),
        r"()(?<![\w-])(?:sk-|hf_|gh[opusr]_|github_pat_|glpat-|xox[abp]-|AIza)[\w-]{16,}",
    ),
    (("private key",), r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)(?s:.*?)(?=-----END|\Z)"),
]
_SECRETS_ANYWHERE = [(words, re.compile(pattern, re.IGNORECASE)) for words, pattern in _RULES]

_SHORTEST = 6
"""Characters of a value worth blanking out by itself: shorter ones are ordinary words too often."""

_MOST = 1000
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")

# A process has one log, so what must not be in it is known to the whole process.
_own: dict[str, None] = {}
"""Secrets of the server itself, for as long as the process lives."""

_known: dict[str, None] = {}
"""Those that came with projects, the one used last at the end."""

_hidden: tuple[str, ...] = ()
"""Both, the longest first."""

_hiding = threading.Lock()


def hide(*values: str | None, own: bool = False) -> None:
    """From now on blank out these very values, and the forms that they take in JSON, in addresses, in bytes.

    Values of less than 6 characters are left alone.

    Args:
        values: the secrets.
        own: whether they are the server's own, which are never forgotten. Of very many others, those are that were
            passed here longest ago.
    """
    global _hidden  # noqa: PLW0603 - see above
    forms = dict.fromkeys(form for value in values if value and len(value) >= _SHORTEST for form in _forms(value))
    with _hiding:
        new = [form for form in forms if form not in _own and form not in _known]
        for form in forms:
            _known.pop(form, None)
            if own:
                _own[form] = None
            elif form not in _own:
                _known[form] = None
        while len(_known) > _MOST:
            del _known[next(iter(_known))]
        if new:
            _hidden = tuple(sorted((*_own, *_known), key=len, reverse=True))


def _forms(value: str) -> Iterable[str]:
    raw = value.encode(errors="replace")
    written = [
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        repr(raw)[2:-1],
    ]
    return dict.fromkeys([value, *written, quote(raw), quote(raw, safe=""), quote_plus(raw)])


def redact(text: str) -> str:
    """Blank out what is, or looks like, a credential. Takes time in proportion to the text, whatever it holds.

    >>> redact("headers: {'Authorization': 'Token 0123456789abcdef'}")
    "headers: {'Authorization': 'Token ***'}"
    """
    lower = text.lower()
    for words, pattern in _SECRETS_ANYWHERE:
        if any(word in lower for word in words):
            text = pattern.sub(r"\1***", text)
    for value in _hidden:  # afterwards: one of them may be a word that tells where others stand
        if value in text:
            text = text.replace(value, "***")
    return text


class RedactingFormatter(logging.Formatter):
    """A formatter whose output never shows a credential, whoever logged it, and whose records cannot be forged."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record, tracebacks included, then blank out secrets.

        Whatever a record holds, only its first line begins at the margin, and it cannot steer a terminal.
        """
        text = redact(super().format(record))
        if "\n" in text:
            text = text.replace("\n", "\n    ")
        return _CONTROL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


class _Guarded(io.TextIOWrapper):
    """Standard output or error without secrets. Text is held back up to the end of its line, or until flushed."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(stream.buffer, stream.encoding, "backslashreplace", line_buffering=True)
        self.original = stream  # were it forgotten, it would close the file
        self._held = ""
        self._lock = threading.RLock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew_lock)

    def write(self, text: str, /) -> int:
        """Write text, or hold on to it."""
        with self._lock:
            lines, end, rest = (self._held + text).rpartition("\n")
            self._held = rest if len(rest) < io.DEFAULT_BUFFER_SIZE else ""
            ready = lines + end + (rest if not self._held else "")
            if ready:
                super().write(redact(ready))
        return len(text)

    def flush(self) -> None:
        """Write what was held back."""
        with self._lock:
            held, self._held = self._held, ""
            if held:
                super().write(redact(held))
            super().flush()

    def _renew_lock(self) -> None:
        """The author's code forked while another thread was writing."""
        self._lock = threading.RLock()


def guard_output() -> None:
    """[child process] Blank out secrets in what the author's code prints, too. Not in what C code writes."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is io.TextIOWrapper:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
            setattr(sys, name, _Guarded(stream))


def configure(level: str, process: str) -> None:
    """Send log records of this process to stderr. `process` says which one speaks (`web`, `worker 1`)."""
    stream = sys.stderr
    handler = logging.StreamHandler(stream.original if isinstance(stream, _Guarded) else stream)
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
    logging.getLogger("stamina").setLevel(logging.ERROR)  # who makes an attempt says itself what went wrong
