"""What Label Studio means by the English sentences in its error replies. No other module looks for words in them.

tests/recordings holds such replies of Label Studio 1.23.2 as it sent them; a test reads each.
"""

from __future__ import annotations

import enum
import re

import httpx

_LONGEST = 1000


class Meaning(enum.Enum):
    """What to act on."""

    LOCAL_ADDRESS = enum.auto()
    """Its protection against local addresses refuses an address."""

    LEGACY_TOKENS_OFF = enum.auto()
    """The organisation does not take legacy tokens."""

    WANTS_PASSWORD = enum.auto()
    """It reached the backend, which wants a user and a password, or others."""

    SETUP_FAILED = enum.auto()
    """The backend's health is well, and its setup failed."""

    NO_SUCH_PATH = enum.auto()
    """It reached a server, which has nothing at this path."""

    UNKNOWN_HOST = enum.auto()
    """It finds no address for the name of a host."""

    UNREACHABLE = enum.auto()
    """The backend's health cannot be asked, for another reason."""

    OTHER = enum.auto()
    """Anything else, an empty text included."""


_SIGNS = (
    (Meaning.LOCAL_ADDRESS, ("reserved network address",)),
    (Meaning.LEGACY_TOKENS_OFF, ("legacy token authentication has been disabled",)),
    (Meaning.WANTS_PASSWORD, ("authentication parameters", "401 Client Error")),
    (Meaning.SETUP_FAILED, ("doesn't look like a valid ML backend",)),
    (Meaning.NO_SUCH_PATH, ("404 Client Error", "405 Client Error")),
    (Meaning.UNKNOWN_HOST, ("resolve hostname", "Name or service not known", "name resolution")),
    (Meaning.UNREACHABLE, ("health check failed",)),
)
"""What tells each; the first that is found decides."""


def meaning(detail: str) -> Meaning:
    """What an error is about.

    >>> meaning("Can't resolve hostname backend")
    <Meaning.UNKNOWN_HOST: 6>
    """
    return next((found for found, signs in _SIGNS if any(sign in detail for sign in signs)), Meaning.OTHER)


def cause(detail: str) -> str:
    """What went wrong between Label Studio and a backend, without the advice around it.

    >>> cause("health check failed. Additional info: Max retries exceeded (Caused by: [Errno 111] Refused')")
    'Refused'
    """
    reason = (
        detail.partition("Additional info: ")[2] or detail.partition("Reason: ")[2].partition("\n")[0] or detail
    )
    if found := re.search(r"\[Errno -?\d+\] ([^\"')]+)", reason):
        return found[1]
    if "timed out" in reason:
        return "no answer in time"
    return " ".join(reason.split()).rstrip(".")


def detail_of(reply: httpx.Response) -> str:
    """What an error reply says, in one line."""
    try:
        said = reply.json()
    except ValueError:
        return "an HTML page" if reply.text.lstrip()[:1] == "<" else reply.text[:200]
    if not isinstance(said, dict):
        return str(said)[:500]
    wrong = said.get("validation_errors")
    if not isinstance(wrong, dict):
        return str(said.get("detail") or said)[:_LONGEST]
    parts = []
    for field, messages in wrong.items():
        text = " ".join(map(str, messages)) if isinstance(messages, list) else str(messages)
        parts.append(text if field == "non_field_errors" else f"{field}: {text}")
    return " ".join(parts)[:_LONGEST]
