"""Calls a server as Label Studio does: addresses, deadlines, credentials."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from .. import __version__
from ..errors import one_line
from ..wire.deadlines import Deadlines
from .trouble import Trouble, trouble_of

PATIENCE = 15.0
"""Seconds to wait once more for an answer that missed its deadline, to tell slow from dead."""

SHOWN = 300
"""Characters of an answer that are shown to people."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back of a call."""

    seconds: float
    """How long it took."""
    status: int = 0
    """That of HTTP; 0 without an answer."""
    body: bytes = b""
    location: str = ""
    """Where it redirects to, if it does."""
    trouble: Trouble | None = None
    """Why there is no answer, if there is none."""
    detail: str = ""
    """What the HTTP client says about the trouble."""

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
        return f"{self.status}: {text}" if text else f"{self.status} without any text"


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
            took = time.perf_counter() - started
            return Reply(seconds=took, trouble=trouble_of(error), detail=one_line(error))
        return Reply(
            seconds=time.perf_counter() - started,
            status=reply.status_code,
            body=reply.content,
            location=reply.headers.get("location", "") if reply.is_redirect else "",
        )
