"""Why a server gives no answer at all, and what to do about it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from enum import Enum

import httpx


class Trouble(Enum):
    """What kept an answer from arriving."""

    NAME = "name"  # the host name cannot be resolved
    REFUSED = "refused"  # nothing listens there
    TIMEOUT = "timeout"  # it took longer than the deadline
    CERTIFICATE = "certificate"  # the server's is not trusted
    NO_TLS = "no TLS"  # the server speaks HTTP where HTTPS was expected
    CLOSED = "closed"  # the connection ended without an answer


def trouble_of(error: Exception) -> Trouble:
    """What an error of the HTTP client means."""
    if isinstance(error, httpx.TimeoutException):
        return Trouble.TIMEOUT
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return Trouble.NAME
        if isinstance(cause, ConnectionRefusedError):
            return Trouble.REFUSED
    text = str(error).lower()
    return next((trouble for part, trouble in _IN_WORDS if part in text), Trouble.CLOSED)


_IN_WORDS = [
    ("wrong_version_number", Trouble.NO_TLS),
    ("record layer", Trouble.NO_TLS),
    ("ssl", Trouble.CERTIFICATE),
    ("certificate", Trouble.CERTIFICATE),
    ("name or service", Trouble.NAME),
    ("nodename", Trouble.NAME),
    ("name resolution", Trouble.NAME),
    ("getaddrinfo", Trouble.NAME),
    ("refused", Trouble.REFUSED),
]
"""Parts of error messages, the telling ones first: where the client kept no cause."""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def explained(trouble: Trouble, detail: str, url: str, deadline: float, whose: str) -> tuple[str, str]:
    """What went wrong, and what to do about it.

    Args:
        trouble: what kept the answer from arriving.
        detail: what the HTTP client says about it.
        url: the server's address.
        deadline: seconds it was waited for.
        whose: what the server is, as in `backend`.
    """
    address = httpx.URL(url)
    closed = f"Look at the {whose}'s log."
    if address.scheme == "http":
        secure = url.replace("http://", "https://", 1)
        closed = f"If it speaks TLS, write {secure}; otherwise look at the {whose}'s log."
    return {
        Trouble.NAME: (
            f"The host name {address.host!r} cannot be resolved from here.",
            f"Correct the name in {url}, or use the {whose}'s IP address.",
        ),
        Trouble.REFUSED: (
            f"Nothing listens at {url} (connection refused).",
            f"Start the {whose}, and check the port. In a container, `localhost` is the container: use the host.",
        ),
        Trouble.TIMEOUT: (
            f"{url} did not answer within {deadline:g} s.",
            f"Check the address, and that no firewall is in between; if the {whose} is busy, look at its log.",
        ),
        Trouble.CERTIFICATE: (
            f"The certificate of {url} is not trusted: {detail}.",
            "Use a certificate for this host name from a known authority, or http:// inside a private network.",
        ),
        Trouble.NO_TLS: (
            f"{url} does not speak TLS.",
            f"Write {url.replace('https://', 'http://', 1)} instead.",
        ),
        Trouble.CLOSED: (f"{url} closed the connection without an answer: {detail}.", closed),
    }[trouble]
