"""Calls a server as Label Studio does (addresses, deadlines, credentials), and says why there was no answer."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import Any

import httpx

from .. import __version__
from ..errors import one_line
from ..wire.deadlines import Deadlines

PATIENCE = 15.0
"""Seconds to wait once more for an answer that missed its deadline, to tell slow from dead."""

SHOWN = 300
"""Characters of an answer that are shown to people."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back. `trouble` says why nothing did: `name`, `refused`, `tls`, `timeout`, `plain` or `broken`."""

    seconds: float
    status: int = 0
    body: bytes = b""
    location: str = ""
    trouble: str = ""
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is an answer with a status of success."""
        return 200 <= self.status < 300

    @property
    def data(self) -> dict[str, Any] | None:
        """The JSON object in it, if it is one."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    @property
    def said(self) -> str:
        """Its status and what it says about an error, in one line."""
        if self.trouble:
            return self.detail
        data = self.data or {}
        text = data.get("error") or data.get("detail") or data.get("message")
        if not isinstance(text, str):
            text = self.body.decode(errors="replace")
            text = "an HTML page" if text.lstrip()[:1] == "<" else text
        text = " ".join(text.split()).rstrip(".")
        text = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
        return f"{self.status}: {text}" if text else f"{self.status} without a word"


class Caller:
    """One server, called again and again."""

    def __init__(self, url: str, user: str = "", password: str = "", deadlines: Deadlines | None = None) -> None:
        """`url` may have a path; calls are made below it, as Label Studio makes them."""
        self.url = url.rstrip("/")
        self.deadlines = deadlines or Deadlines()
        self.auth = (user, password) if user or password else None
        self._client = httpx.Client(headers={"User-Agent": f"label-studio-ml-doctor/{__version__}"})

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        body: object = None,
        headers: dict[str, str] | None = None,
        signed: bool = True,
        url: str = "",
    ) -> Reply:
        """Make one call.

        Args:
            method: of HTTP.
            path: relative to the server's address.
            deadline: seconds to wait for the answer.
            body: what to send as JSON; nothing when None.
            headers: more headers.
            signed: whether to send user and password, if there are any.
            url: another address than the server's.
        """
        timeout = httpx.Timeout(deadline, connect=self.deadlines.connect)
        started = time.perf_counter()
        try:
            reply = self._client.request(
                method,
                f"{url or self.url}/{path.lstrip('/')}",
                json=body,
                headers=headers,
                auth=self.auth if signed and self.auth else None,
                timeout=timeout,
            )
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            trouble = _trouble(error)
            return Reply(seconds=time.perf_counter() - started, trouble=trouble, detail=one_line(error))
        return Reply(
            seconds=time.perf_counter() - started,
            status=reply.status_code,
            body=reply.content,
            location=reply.headers.get("location", "") if reply.is_redirect else "",
        )


def _trouble(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return "name"
        if isinstance(cause, ConnectionRefusedError):
            return "refused"
        cause = cause.__cause__ or cause.__context__
    text = str(error).lower()
    if "wrong_version_number" in text or "record layer" in text:
        return "plain"
    if "ssl" in text or "certificate" in text:
        return "tls"
    if "name or service" in text or "nodename" in text or "name resolution" in text or "getaddrinfo" in text:
        return "name"
    return "refused" if "refused" in text else "broken"


def no_answer(reply: Reply, url: str, deadline: float, whose: str) -> tuple[str, str]:
    """Why a server did not answer, and what to do about it.

    Args:
        reply: with a `trouble`.
        url: the server's address.
        deadline: seconds it was waited for.
        whose: what the server is, as in `backend`.
    """
    address = httpx.URL(url)
    host = address.host
    secure = url.replace("http://", "https://", 1)
    return {
        "name": (
            f"There is no computer named {host!r} in the eyes of this one.",
            f"Correct the name in {url}, or use the {whose}'s IP address.",
        ),
        "refused": (
            f"Nothing listens at {url} (connection refused).",
            f"Start the {whose}, and check the port. In a container, `localhost` is the container: use the host.",
        ),
        "timeout": (
            f"{url} did not answer within {deadline:g} s.",
            f"Check the address, and that no firewall is in between; if the {whose} is busy, see its log.",
        ),
        "tls": (
            f"The certificate of {url} is not trusted: {reply.detail}.",
            "Use a certificate for this host name from a known authority, or http:// inside a private network.",
        ),
        "plain": (
            f"{url} does not speak TLS.",
            f"Write {url.replace('https://', 'http://', 1)} instead.",
        ),
    }.get(
        reply.trouble,
        (
            f"{url} broke the connection off: {reply.detail}.",
            f"If it speaks TLS, write {secure}; otherwise see the {whose}'s log."
            if address.scheme == "http"
            else f"See the {whose}'s log.",
        ),
    )
