"""Asks Label Studio how a project and a backend are connected, and prepares what is played before the backend.

Changes nothing: it reads, and asks questions that Label Studio refuses for another reason.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any
from urllib.parse import urlsplit

from ..errors import LabelStudioError
from ..label_studio.project import LOCAL_ADDRESS, Json, LabelStudioApi, Refused, essence
from ..protocol.deadlines import Deadlines
from .caller import Caller, no_answer
from .findings import Findings
from .media import fetched, media_of
from .scene import Scene, interface

_DEADLINE = 10.0
_TASKS = 2

LET_LOCAL_ADDRESSES_IN = (
    "Start Label Studio with ML_BLOCK_LOCAL_IP=false SSRF_PROTECTION_ENABLED=false in its environment, or give the "
    "backend a public address."
)


def token_kind(token: str) -> str:
    """What a token is: `legacy`, `refresh` (a personal access token), `access`, or `unknown`.

    >>> token_kind("0123456789abcdef0123456789abcdef01234567"), token_kind("secret")
    ('legacy', 'unknown')
    """
    if len(token) == 40 and all(letter in "0123456789abcdef" for letter in token):
        return "legacy"
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return str(claims["token_type"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return "unknown"


class Inquiry:
    """Questions to one Label Studio about one backend. `prepare` comes before the play, `compare` after it."""

    def __init__(self, url: str, token: str, project: int | None, backend_url: str) -> None:
        """`backend_url` is the backend's address as Label Studio calls it."""
        self.findings = Findings("Label Studio")
        self.project: Json = {}
        self.backend: Json = {}
        self.webhook: Json = {}
        self._url, self._token = url.rstrip("/"), token
        self._project_id, self._backend_url = project, backend_url.rstrip("/")
        self._api: LabelStudioApi | None = None
        self._tasks: list[Json] = []

    def close(self) -> None:
        """Close its connections."""
        if self._api is not None:
            self._api.close()

    # --- before the play -------------------------------------------------------------------------------

    def prepare(self, scene: Scene) -> None:
        """Get as far as possible, and put the project's labeling config, tasks and webhook on the scene."""
        if not self._reach() or not self._sign_in() or self._api is None:
            return
        scene.label_studio_url, scene.label_studio_api_key = self._url, self._token
        if self._project_id is None:
            self.findings.warning(
                "project",
                "No project is named, so how it is connected cannot be looked at.",
                "Name one with --project N; its number is in the address of its page.",
            )
            return
        if not self._read_project():
            return
        self._find_backend()
        self._find_webhook()
        self._set(scene)

    def _reach(self) -> bool:
        caller = Caller(self._url, deadlines=Deadlines(connect=_DEADLINE))
        reply = caller.call("GET", "api/version/", _DEADLINE)
        caller.close()
        if reply.trouble:
            self.findings.problem("reachable", *no_answer(reply, self._url, _DEADLINE, "Label Studio"))
            return False
        release = (reply.data or {}).get("release") or (reply.data or {}).get("label-studio-os-package", {})
        if reply.location or not reply.ok or not release:
            where = f" It redirects to {reply.location}." if reply.location else ""
            self.findings.problem(
                "reachable",
                f"What answers at {self._url} is not Label Studio ({reply.said}).{where}",
                "Give the address that you open Label Studio with, without the path of a page.",
            )
            return False
        shown = release if isinstance(release, str) else release.get("version", "")
        self.findings.ok("reachable", f"Label Studio {shown} answers at {self._url}.")
        return True

    def _sign_in(self) -> bool:
        kind = token_kind(self._token)
        new = "Make a new one in Label Studio (Account & Settings, Personal Access Token) and give it with "
        new += "--label-studio-api-key or LABEL_STUDIO_API_KEY."
        if not self._token:
            self.findings.problem("token", "There is no token for Label Studio.", new)
            return False
        if kind == "access":
            what = "This is an access token, which lives for minutes only; the personal access token is needed."
            self.findings.problem("token", what, new)
            return False
        try:
            self._api = LabelStudioApi(self._url, self._token)
            user = self._api.who()
        except Refused as refused:
            self._token_refused(kind, refused, new)
            return False
        except LabelStudioError as error:
            self.findings.problem("token", str(error), new)
            return False
        named = {"legacy": "The legacy token", "refresh": "The personal access token"}.get(kind, "The token")
        self.findings.ok("token", f"{named} of {user.get('email') or user.get('username')} works.")
        self._backends_token()
        return True

    def _token_refused(self, kind: str, refused: Refused, new: str) -> None:
        if "legacy token authentication has been disabled" in refused.detail:
            self.findings.problem(
                "token",
                "This is a legacy token, and the organisation does not take these any more.",
                "Use a personal access token (Account & Settings, Personal Access Token), or have the owner allow "
                "legacy tokens (Organization, API Tokens Settings).",
            )
        elif refused.status in (401, 403):
            name = {"legacy": "this legacy token", "refresh": "this personal access token"}.get(kind, "this token")
            what = f"Label Studio refuses {name}: {refused.detail.rstrip('.')}."
            self.findings.problem("token", what, new)
        else:
            what = f"Label Studio does not say who you are ({refused.status}): {refused.detail}"
            self.findings.problem("token", what, "See Label Studio's log.")

    def _backends_token(self) -> None:
        if self._api is not None and self._api.legacy_tokens_allowed() is False:
            self.findings.warning(
                "backend's token",
                "Label Studio hands backends a legacy token, but the organisation takes none: the backend gets "
                "neither annotations nor media.",
                f"Start the backend with LABEL_STUDIO_URL={self._url} and LABEL_STUDIO_API_KEY set to a personal "
                "access token, or allow legacy tokens (Organization, API Tokens Settings).",
            )

    def _read_project(self) -> bool:
        assert self._api is not None and self._project_id is not None  # noqa: S101, PT018 - see prepare()
        try:
            self.project = self._api.project(self._project_id)
            self._tasks = self._api.tasks(self._project_id, _TASKS)
        except Refused as refused:
            if refused.status in (403, 404):
                self.findings.problem(
                    "project",
                    f"There is no project {self._project_id} that this user may see.",
                    "Look up the number in the address of the project's page, or use the token of a member.",
                )
            else:
                self.findings.problem("project", str(refused), "See Label Studio's log.")
            return False
        try:
            interface(self.project["label_config"]).validate()
        except Exception as error:  # noqa: BLE001 - the SDK raises many kinds for a config it does not understand
            self.findings.problem(
                "labeling config",
                f"The labeling config of project {self._project_id} is not understood: {error}",
                "Mend it in Settings, Labeling Interface.",
            )
            return False
        controls = len(interface(self.project["label_config"]).controls)
        if not controls:
            self.findings.problem(
                "labeling config",
                f"Project {self._project_id} has no labeling config yet, so nothing can be predicted.",
                "Set one up in Settings, Labeling Interface.",
            )
            return False
        noun = "control" if controls == 1 else "controls"
        self.findings.ok("labeling config", f"Project {self._project_id} has {controls} {noun}.")
        return True

    def _find_backend(self) -> None:
        """The backend of the project that is ours: by address, else the only one on the same port."""
        assert self._api is not None and self._project_id is not None  # noqa: S101, PT018 - see prepare()
        try:
            backends = self._api.backends(self._project_id)
        except Refused as refused:
            self.findings.problem(
                "connection", str(refused), "Use the token of somebody who may change the project."
            )
            return
        same = [one for one in backends if one["url"].rstrip("/") == self._backend_url]
        alike = [one for one in backends if _port(one["url"]) == _port(self._backend_url)]
        self.backend = (same or (alike if len(alike) == 1 else [{}]))[0]
        if not self.backend:
            others = ", ".join(one["url"] for one in backends)
            self.findings.problem(
                "connection",
                f"Project {self._project_id} is not connected with {self._backend_url}"
                + (f", but with {others}." if others else "."),
                f"Run: label-studio-ml connect {self._backend_url} --project {self._project_id}"
                + (" --replace" if others else ""),
            )
            self._address(self._backend_url)
            return
        if not same:
            self._backend_url = self.backend["url"].rstrip("/")
        self._connection()
        if backends[0] is not self.backend:
            self.findings.problem(
                "connection",
                f"Label Studio asks only the first of a project's models for predictions, and that is "
                f"{backends[0]['url']}.",
                f"Remove it in Settings, Model, if {self._backend_url} is meant.",
            )

    def _connection(self) -> None:
        state, why = self.backend.get("state"), str(self.backend.get("error_message") or "")
        title = f"{self.backend.get('title')!r} ({self._backend_url})"
        if state in ("CO", "TR", "PR"):
            self.findings.ok("connection", f"Label Studio reaches {title}: {self.backend.get('readable_state')}.")
            return
        if state == "DI":
            self._address(self._backend_url)
            return
        if "401" in why:
            self.findings.problem(
                "connection",
                f"Label Studio has no or a wrong user and password for {title}.",
                f"Run: label-studio-ml connect {self._backend_url} --project {self._project_id} "
                "--basic-auth-user USER --basic-auth-pass PASSWORD",
            )
            return
        self.findings.problem(
            "connection",
            f"Label Studio reaches {title}, but its setup fails: {why}",
            "Mend what is said about setup above.",
        )

    def _address(self, url: str) -> None:
        """What Label Studio meets at an address, where it does not get an answer that it likes."""
        assert self._api is not None and self._project_id is not None  # noqa: S101, PT018 - see prepare()
        try:
            said = self._api.try_backend_address(self._project_id, url)
        except Refused as refused:
            said = refused.detail
        if LOCAL_ADDRESS in said:
            self._local_address(url, "calls", said)
        elif (
            "authentication parameters" in said
            or "404 Client Error" in said
            or "405 Client Error" in said
            or not said
        ):
            self.findings.ok("address", f"Label Studio reaches {url}.")
        elif "resolve hostname" in said or "Name or service not known" in said or "name resolution" in said:
            self.findings.problem(
                "address",
                f"Label Studio knows no computer named {urlsplit(url).hostname!r}.",
                "Connect the backend with an address that Label Studio's machine or container can reach, as in "
                "http://host.docker.internal:9090 or an IP address (--url-for-label-studio).",
            )
        else:
            self.findings.problem(
                "address",
                f"Label Studio cannot reach {url}: {essence(said)}.",
                "Connect an address that Label Studio's machine or container reaches (`localhost` there is not the "
                "backend's machine), and see that no firewall is in between. --url-for-label-studio names another.",
            )

    def _local_address(self, url: str, what: str, said: str) -> None:
        self.findings.problem(
            "address",
            f'Label Studio protects itself from local addresses and never {what} {url}: "{said}".',
            LET_LOCAL_ADDRESSES_IN,
        )

    def _find_webhook(self) -> None:
        assert self._api is not None and self._project_id is not None  # noqa: S101, PT018 - see prepare()
        if not self.backend:
            return
        wanted = f"{self._backend_url}/webhook"
        connect = f"Run: label-studio-ml connect {self._backend_url} --project {self._project_id}"
        try:
            found = [one for one in self._api.webhooks(self._project_id) if one["url"] == wanted]
            refused = self._api.webhook_address_refused(self._project_id, wanted)
        except Refused as error:
            self.findings.problem("webhook", str(error), "Use the token of somebody who may change the project.")
            return
        if LOCAL_ADDRESS in refused:
            already = any(one.check == "address" for one in self.findings)
            if not already:
                self._local_address(wanted, "sends events to", refused)
            return
        if not found:
            self.findings.problem(
                "webhook",
                f"There is no webhook to {wanted}: annotations never reach the model.",
                connect,
            )
            return
        self.webhook = found[0]
        if len(found) > 1:
            self.findings.warning(
                "webhook",
                f"{len(found)} webhooks go to {wanted}: every event arrives {len(found)} times.",
                "Remove all but one in Settings, Webhooks.",
            )
        if not self.webhook["is_active"]:
            self.findings.problem("webhook", f"The webhook to {wanted} is switched off.", connect)
        elif not self.webhook["send_payload"]:
            self.findings.problem("webhook", f"The webhook to {wanted} sends no payload.", connect)

    def _set(self, scene: Scene) -> None:
        scene.label_config, scene.config_given = self.project["label_config"], True
        if self._tasks:
            both = (
                self._tasks if len(self._tasks) > 1 else self._tasks * 2
            )  # one alone would not show a wrong count
            scene.tasks, scene.made_up = both, False
        else:
            self.findings.warning(
                "tasks",
                f"Project {self._project_id} has no tasks; made-up ones are used.",
                "Import at least one.",
            )
        if self.backend:
            scene.extra_params = _params(self.backend.get("extra_params"))
            scene.interactive = bool(self.backend.get("is_interactive"))
        if self.backend.get("state") in ("CO", "TR", "PR"):
            scene.real = f"{self._project_id}.{_created(self.project)}"
            scene.real_version = str(self.backend.get("model_version") or "")
        if self.webhook:
            scene.webhook_headers, scene.webhook_known = dict(self.webhook.get("headers") or {}), True

    # --- after the play --------------------------------------------------------------------------------

    def compare(self, state: dict[str, Any], *, webhook_refused: bool, secret: str) -> None:
        """Compare with what the backend says.

        Args:
            state: what the backend says about itself.
            webhook_refused: whether it refused an event that carried the webhook's headers.
            secret: the webhook secret that was given, if any.
        """
        if self._api is None or not self.project:
            return
        self._webhook_events(state, refused=webhook_refused, secret=secret)
        if self.backend:
            self._shown()
        self._media()

    def _webhook_events(self, state: dict[str, Any], *, refused: bool, secret: str) -> None:
        if not self.webhook:
            return
        connect = f"label-studio-ml connect {self._backend_url} --project {self._project_id}"
        if refused:
            headers = set(self.webhook.get("headers") or {})
            carries = "carries no credentials" if not headers else "carries credentials that the backend refuses"
            start = "" if secret else "Start the backend with --webhook-secret SECRET, then run: "
            self.findings.problem(
                "webhook",
                f"The webhook {carries}: every annotation is lost for training.",
                f"{start or 'Run: '}{connect} --webhook-secret SECRET",
            )
        used = state.get("webhook_events")
        if not self.webhook["send_for_all_actions"] and isinstance(used, list):
            missing = [event for event in used if event not in self.webhook["actions"]]
            if missing:
                self.findings.problem(
                    "webhook",
                    f"The webhook leaves out events that the model uses: {', '.join(missing)}.",
                    f"Run: {connect}",
                )
        if not any(one.check == "webhook" for one in self.findings):
            kept = "every event" if self.webhook["send_for_all_actions"] else ", ".join(self.webhook["actions"])
            self.findings.ok("webhook", f"It is active and sends {kept}.")

    def _shown(self) -> None:
        """Whether annotators get to see the predictions."""
        title, chosen = self.backend.get("title"), self.project.get("model_version")
        settings = "in the project's Settings, Annotation"
        if not self.project.get("show_collab_predictions", True):
            self.findings.warning(
                "shown",
                "The project does not show predictions to annotators.",
                f"Switch on `Use predictions to prelabel tasks` {settings}.",
            )
        elif chosen in (title, self.backend.get("model_version")):
            self.findings.ok("shown", f"The project shows predictions of {chosen!r}.")
        else:
            shown = f"those of {chosen!r}" if chosen else "none"
            self.findings.warning(
                "shown",
                f"Of all predictions the project shows {shown} to annotators, not those of {title!r}.",
                f"Choose {title!r} under `Use predictions to prelabel tasks` {settings}.",
            )

    def _media(self) -> None:
        assert self._api is not None  # noqa: S101 - see compare()
        addresses = [
            (task["id"], found) for task in self._tasks for found in media_of(self.project["label_config"], task)
        ]
        if not addresses:
            return
        task_id, address = addresses[0]
        shown = address if len(address) <= 100 else address[:99] + "…"
        why = fetched(self._api, task_id, address)
        if not why:
            self.findings.ok("media", f"Those of task {task_id} can be fetched from here ({shown}).")
            return
        fix = (
            "See that the file is still there, and that the storage is connected and may be read (Settings, Cloud "
            "Storage)."
        )
        if not address.startswith("/"):
            fix = "See that the address can be reached from the backend's machine, and that the file is there."
        self.findings.problem("media", f"Those of task {task_id} cannot be fetched ({shown}): {why}.", fix)


def _port(url: str) -> int | None:
    parts = urlsplit(url)
    try:
        return parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None


def _params(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _created(project: Json) -> int:
    """When a project was made, as Label Studio puts it behind the project's number."""
    from datetime import datetime

    return int(datetime.fromisoformat(project["created_at"].replace("Z", "+00:00")).timestamp())
