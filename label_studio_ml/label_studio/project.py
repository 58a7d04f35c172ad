"""A project of Label Studio with its ML backends, webhooks and predictions, as `connect` and `doctor` need it.

Calls go through the SDK's client, which knows both kinds of token, but untyped: the typed calls drop fields.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx
from label_studio_sdk.core.api_error import ApiError

from ..errors import LabelStudioError, one_line
from . import client
from .sentences import Meaning, detail_of, meaning

Json = dict[str, Any]


class CallRefused(LabelStudioError):
    """Label Studio answered a call with an error, or not at all."""

    def __init__(self, call: str, status: int, detail: str) -> None:
        super().__init__(f"Label Studio refused {call} ({status}): {detail}")
        self.status = status
        """Of HTTP; 0 where there was no answer."""
        self.detail = detail
        """What Label Studio says about it, or why there was no answer."""

    @property
    def meaning(self) -> Meaning:
        """What it is about."""
        return meaning(self.detail)


class LabelStudioApi:
    """The calls, for one user."""

    def __init__(self, url: str, token: str, *, verify: bool = True) -> None:
        """Nothing is called yet. `verify`: whether to check Label Studio's certificate.

        Raises:
            LabelStudioError: the token has expired or is malformed.
        """
        self.url = url.rstrip("/")
        self._client = client.sdk_client(url, token, verify=verify)  # closes its connections in the end
        self._http = self._client._client_wrapper.httpx_client  # noqa: SLF001 - the typed calls drop fields

    def close(self) -> None:
        """Close its connections."""
        self._http.httpx_client.close()

    def call(self, method: str, path: str, body: object = None, *, timeout: int = 60, **params: object) -> Any:
        """Make one call, without retries, and return the decoded answer (None without content).

        Args:
            method: of HTTP.
            path: relative to Label Studio's address, without a slash before it.
            body: what to send as JSON.
            timeout: seconds to wait for the answer.
            **params: of the query.

        Raises:
            CallRefused: Label Studio does not answer, or not with success.
        """
        try:
            options: Any = {"max_retries": 0, "timeout_in_seconds": timeout}
            reply = self._http.request(
                path, method=method, json=body, params=params or None, request_options=options
            )
        except ApiError as error:  # a personal access token could not be exchanged
            detail = client.detail(error)
            raise CallRefused(f"{method} /{path}", error.status_code or 0, detail) from error
        except (httpx.HTTPError, ValueError) as error:
            raise CallRefused(f"{method} /{path}", 0, one_line(error)) from error
        if not reply.is_success:
            raise CallRefused(f"{method} /{path}", reply.status_code, detail_of(reply))
        try:
            return reply.json() if reply.content else None
        except ValueError:
            raise CallRefused(f"{method} /{path}", reply.status_code, "the answer is not JSON") from None

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
        except CallRefused as refused:
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
        except (CallRefused, KeyError, TypeError):
            return None

    def retrieve_predictions(self, project: int) -> None:
        """Have predictions made for all tasks; answers when they are stored."""
        everything = {"selectedItems": {"all": True, "excluded": []}}
        action = "retrieve_tasks_predictions"
        self.call("POST", "api/dm/actions", everything, timeout=3600, id=action, project=project)

    # Questions that change nothing, because something else in them is always wrong

    def try_backend_address(self, project: int, url: str) -> str:
        """What Label Studio meets when it calls a backend's address; nothing is connected by this.

        It is sent to a path below the address where no backend answers: it gets there or not, and says so.
        """
        body = {"url": f"{url.rstrip('/')}/doctor-asks", "project": project, "title": "doctor"}
        try:
            made = self.create_backend(body)
        except CallRefused as refused:
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
        except CallRefused as refused:
            only_that_field = "send_payload" in refused.detail and refused.meaning is not Meaning.LOCAL_ADDRESS
            return "" if only_that_field else refused.detail
        return ""
