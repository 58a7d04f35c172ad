"""A project of Label Studio with its ML backends and webhooks: what `doctor` and `connect` read and change.

Calls go through the SDK's client, which knows both kinds of token, but untyped: the typed calls drop fields.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import httpx
from label_studio_sdk.core.api_error import ApiError

from ..errors import LabelStudioError, one_line
from . import client

Json = dict[str, Any]

LOCAL_ADDRESS = "reserved network address"
"""What Label Studio says of an address that its protection against local addresses refuses."""


class Refused(LabelStudioError):
    """Label Studio answered a call with an error."""

    def __init__(self, call: str, status: int, detail: str) -> None:
        """`status` is that of HTTP (0: no answer), `detail` what Label Studio says about it."""
        super().__init__(f"Label Studio refused {call} ({status}): {detail}")
        self.status, self.detail = status, detail

    @property
    def local_address(self) -> bool:
        """Whether the reason is the protection against local addresses."""
        return LOCAL_ADDRESS in self.detail


class LabelStudioApi:
    """The calls, for one user."""

    def __init__(self, url: str, token: str, *, verify: bool = True) -> None:
        """Nothing is called yet. `verify`: whether to check Label Studio's certificate.

        Raises:
            LabelStudioError: the token has expired or is malformed.
        """
        self.url = url.rstrip("/")
        self._client = client.connect(url, token, verify=verify)  # closes its connections when it is let go
        self._http = self._client._client_wrapper.httpx_client  # noqa: SLF001 - see above

    def close(self) -> None:
        """Close its connections."""
        self._http.httpx_client.close()

    def call(self, method: str, path: str, body: object = None, *, patience: int = 60, **params: object) -> Any:
        """Make one call, without retries, and return the decoded answer (None without content).

        Args:
            method: of HTTP.
            path: relative to Label Studio's address, without a slash before it.
            body: what to send as JSON.
            patience: seconds to wait for the answer.
            **params: of the query.

        Raises:
            Refused: Label Studio does not answer, or not with success.
        """
        try:
            options: Any = {"max_retries": 0, "timeout_in_seconds": patience}
            reply = self._http.request(
                path, method=method, json=body, params=params or None, request_options=options
            )
        except ApiError as error:  # a personal access token could not be exchanged
            detail = client.detail(error)
            raise Refused(f"{method} /{path}", error.status_code or 0, detail) from error
        except (httpx.HTTPError, ValueError) as error:
            raise Refused(f"{method} /{path}", 0, one_line(error)) from error
        if not reply.is_success:
            raise Refused(f"{method} /{path}", reply.status_code, explained(reply))
        try:
            return reply.json() if reply.content else None
        except ValueError:
            raise Refused(f"{method} /{path}", reply.status_code, "the answer is not JSON") from None

    @contextlib.contextmanager
    def stream(self, path: str) -> Iterator[httpx.Response]:
        """Read what lies at a path of Label Studio, with the token.

        Raises:
            httpx.HTTPError: it cannot be reached.
        """
        with self._http.stream(path, method="GET") as reply:
            yield reply

    def who(self) -> Json:
        """The user whose token it is."""
        found: Json = self.call("GET", "api/current-user/whoami")
        return found

    def project(self, project: int) -> Json:
        """A project with its labeling config."""
        found: Json = self.call("GET", f"api/projects/{project}/")
        return found

    def update_project(self, project: int, body: Json) -> None:
        """Change a project."""
        self.call("PATCH", f"api/projects/{project}/", body)

    def tasks(self, project: int, count: int) -> list[Json]:
        """Some tasks of a project, just as backends get them; asking for them predicts none."""
        try:
            found = self.call("GET", f"api/projects/{project}/tasks/", page=1, page_size=count)
        except Refused as refused:
            if refused.status == 404:  # there are none
                return []
            raise
        return list(found)

    def backends(self, project: int) -> list[Json]:
        """The project's ML backends. Label Studio asks each one's health and setup first."""
        found: list[Json] = self.call("GET", "api/ml", project=project)
        return sorted(found, key=lambda backend: int(backend["id"]))

    def create_backend(self, body: Json) -> Json:
        """Connect a backend; Label Studio tries health and setup, and makes a webhook."""
        found: Json = self.call("POST", "api/ml", body)
        return found

    def update_backend(self, backend: int, body: Json) -> Json:
        """Change a backend. Label Studio wants `url`, `project` and credentials again: it tries them."""
        found: Json = self.call("PATCH", f"api/ml/{backend}", body)
        return found

    def webhooks(self, project: int) -> list[Json]:
        """The project's webhooks."""
        found: list[Json] = self.call("GET", "api/webhooks/", project=project)
        return found

    def create_webhook(self, body: Json) -> Json:
        """Make a webhook."""
        found: Json = self.call("POST", "api/webhooks/", body)
        return found

    def update_webhook(self, webhook: int, body: Json) -> Json:
        """Change a webhook. What is left out of `actions` is taken away, so they must always be given."""
        found: Json = self.call("PATCH", f"api/webhooks/{webhook}/", body)
        return found

    def legacy_tokens_allowed(self) -> bool | None:
        """Whether the organisation takes legacy tokens, which is what backends are given; None: not to be known."""
        try:
            return bool(self.call("GET", "api/jwt/settings")["legacy_api_tokens_enabled"])
        except (Refused, KeyError, TypeError):
            return None

    def retrieve_predictions(self, project: int) -> None:
        """Have predictions made for all tasks; answers when they are stored."""
        everything = {"selectedItems": {"all": True, "excluded": []}}
        action = "retrieve_tasks_predictions"
        self.call("POST", "api/dm/actions", everything, patience=3600, id=action, project=project)

    # Questions that change nothing, because something else in them is always wrong

    def try_backend_address(self, project: int, url: str) -> str:
        """What Label Studio meets when it calls a backend's address; nothing is connected by this.

        It is sent to a path below the address where no backend answers: it gets there or not, and says so.
        """
        body = {"url": f"{url.rstrip('/')}/doctor-asks", "project": project, "title": "doctor"}
        try:
            made = self.create_backend(body)
        except Refused as refused:
            return refused.detail
        self.call("DELETE", f"api/ml/{made['id']}")  # something answers everything there, whatever the path
        for webhook in self.webhooks(project):
            if webhook["url"].startswith(body["url"]):
                self.call("DELETE", f"api/webhooks/{webhook['id']}/")
        return ""

    def webhook_address_refused(self, project: int, url: str) -> str:
        """Why Label Studio would not send events to an address; empty when it would."""
        try:
            self.create_webhook({"url": url, "project": project, "send_payload": "neither yes nor no"})
        except Refused as refused:
            return (
                "" if "send_payload" in refused.detail and LOCAL_ADDRESS not in refused.detail else refused.detail
            )
        return ""


def essence(detail: str) -> str:
    """What really went wrong, out of what Label Studio says when it cannot reach a backend.

    >>> essence("health check failed. Additional info: Max retries exceeded (Caused by: [Errno 111] Refused')")
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


def explained(reply: httpx.Response) -> str:
    """What an error reply of Label Studio says, in one line."""
    try:
        said = reply.json()
    except ValueError:
        return "an HTML page" if reply.text.lstrip()[:1] == "<" else reply.text[:200]
    if not isinstance(said, dict):
        return str(said)[:500]
    wrong = said.get("validation_errors")
    if not isinstance(wrong, dict):
        return str(said.get("detail") or said)[:1000]
    parts = []
    for field, messages in wrong.items():
        text = " ".join(map(str, messages)) if isinstance(messages, list) else str(messages)
        parts.append(text if field == "non_field_errors" else f"{field}: {text}")
    return " ".join(parts)[:1000]
