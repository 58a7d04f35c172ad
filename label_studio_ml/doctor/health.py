"""Whether a backend can be reached, and answers at /health as Label Studio needs it."""

from __future__ import annotations

from typing import Any

import httpx

from . import sign_in
from .caller import PATIENCE, Caller, Reply
from .findings import Findings, duration
from .trouble import Trouble, explained


def check(caller: Caller, findings: Findings) -> dict[str, Any] | None:
    """What the backend says about itself; None where it cannot be used."""
    return _Health(caller, findings).check()


class _Health:
    def __init__(self, caller: Caller, findings: Findings) -> None:
        self._caller, self._findings, self._deadline = caller, findings, caller.deadlines.health

    def check(self) -> dict[str, Any] | None:
        reply = self._caller.call("GET", "health", self._deadline)
        if reply.trouble is Trouble.TIMEOUT:
            later = self._caller.call("GET", "health", PATIENCE)
            if not later.trouble:
                self._too_slow(later)
                return self._understand(later)
        if reply.trouble:
            why = explained(reply.trouble, reply.detail, self._caller.url, self._deadline, "backend")
            self._findings.problem("reachable", *why)
            return None
        if reply.location:
            self._redirected(reply)
            return None
        if reply.ok and reply.seconds > self._deadline / 2:
            self._findings.warning(
                "health",
                f"/health took {duration(reply.seconds)}; Label Studio gives up after {self._deadline:g} s.",
                "Find out what keeps the machine or the server busy; Label Studio asks before every prediction.",
            )
        return self._understand(reply)

    def _understand(self, reply: Reply) -> dict[str, Any] | None:
        if reply.status == 401:
            sign_in.refused(self._caller, self._findings)
        elif reply.status == 404:
            self._not_found()
        elif not reply.ok:
            self._findings.problem(
                "health",
                f"/health answers {reply.said}.",
                "Look at the backend's log; if a proxy answered in its place, the text above says so.",
            )
        elif reply.data is None:
            content = reply.said.partition(": ")[2] or "nothing"
            self._findings.problem(
                "health",
                f"/health at {self._caller.url} answers with {content}, not with JSON: this is not a backend.",
                "Give the address of the backend itself; `label-studio-ml start` prints it.",
            )
        else:
            self._findings.ok("health", f"{self._caller.url} answers in {duration(reply.seconds)}.")
            return reply.data
        return None

    def _too_slow(self, later: Reply) -> None:
        self._findings.problem(
            "health",
            f"/health took {duration(later.seconds)}; Label Studio gives up after {self._deadline:g} s and shows "
            "the model as disconnected.",
            "Let /health answer at once: serve it from a process that does not load or run the model, and do not "
            "let requests queue before it.",
        )

    def _redirected(self, reply: Reply) -> None:
        target = str(httpx.URL(f"{self._caller.url}/health").join(reply.location)).removesuffix("/health")
        self._findings.problem(
            "reachable",
            f"{self._caller.url} redirects to {target}; Label Studio's POST calls do not survive a redirect.",
            f"Give Label Studio the address {target}.",
        )

    def _not_found(self) -> None:
        """A 404: the path before /health is wrong, or it is no backend."""
        url = httpx.URL(self._caller.url)
        parents = [url.path.rstrip("/").rpartition("/")[0], ""] if url.path.strip("/") else []
        for path in dict.fromkeys(parents):
            other = str(url.copy_with(path=path or "/")).rstrip("/")
            found = self._caller.call("GET", "health", self._deadline, url=other)
            if found.status == 401 or (found.status == 200 and found.data is not None):
                self._findings.problem(
                    "reachable",
                    f"There is no backend below the path {url.path}, but there is one at {other}.",
                    f"Use the address {other}.",
                )
                return
        self._findings.problem(
            "reachable",
            f"A server answers at {self._caller.url}, but it has no /health: it is no backend, or the backend is "
            "below some path.",
            "Give the whole address, with the path that a proxy puts before the backend, as in "
            f"{url.scheme}://{url.netloc.decode()}/my-model.",
        )
