"""Asks Label Studio how a project and a backend are connected, and prepares what is played before the backend.

Changes nothing: it reads, and asks questions that Label Studio refuses for another reason.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ..label_studio.project import CallRefused, Json, LabelStudioApi
from ..label_studio.sentences import Meaning, cause, meaning
from ..media.addresses import LabelStudio
from .access import Access
from .findings import Findings
from .media import fetched, media_of
from .scene import Scene, interface

_TASKS = 2

LET_LOCAL_ADDRESSES_IN = (
    "Start Label Studio with ML_BLOCK_LOCAL_IP=false SSRF_PROTECTION_ENABLED=false in its environment, or give the "
    "backend a public address."
)


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
        self._api = Access(self._url, self._token, self.findings).open()
        if self._api is None:
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

    def _read_project(self) -> bool:
        assert self._api is not None and self._project_id is not None  # noqa: S101, PT018 - see prepare()
        try:
            self.project = self._api.project(self._project_id)
            self._tasks = self._api.tasks(self._project_id, _TASKS)
        except CallRefused as refused:
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
        except CallRefused as refused:
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
            if self._address(self._backend_url):
                self.findings.ok("address", f"Label Studio reaches {self._backend_url}.")
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
        met = self._address(self._backend_url) if state == "DI" else ""
        if met == "locked" or meaning(why) is Meaning.WANTS_PASSWORD:
            self.findings.problem(
                "connection",
                f"Label Studio has no or a wrong user and password for {title}.",
                f"Run: label-studio-ml connect {self._backend_url} --project {self._project_id} "
                "--basic-auth-user USER --basic-auth-pass PASSWORD",
            )
        elif met == "reached":
            self.findings.problem(
                "connection",
                f"Label Studio shows {title} as disconnected: it reaches the address, but /health does not answer "
                "well, or not within 1 s.",
                "Mend what is said about health above; if nothing is, the way from Label Studio to it is slow.",
            )
        elif state != "DI":
            self.findings.problem(
                "connection",
                f"Label Studio reaches {title}, but its setup fails: {cause(why)}.",
                "Mend what is said about setup above.",
            )

    def _address(self, url: str) -> str:
        """What Label Studio meets at an address: `reached`, `locked` (by a password), or nothing good."""
        assert self._api is not None and self._project_id is not None  # noqa: S101, PT018 - see prepare()
        try:
            said = self._api.try_backend_address(self._project_id, url)
        except CallRefused as refused:
            said = refused.detail
        meant = meaning(said)
        if meant is Meaning.WANTS_PASSWORD:
            return "locked"
        if meant is Meaning.LOCAL_ADDRESS:
            self._local_address(url, "calls", said)
        elif meant in (Meaning.NO_SUCH_PATH, Meaning.SETUP_FAILED) or not said:
            return "reached"
        elif meant is Meaning.UNKNOWN_HOST:
            self.findings.problem(
                "address",
                f"Label Studio cannot resolve the host name {urlsplit(url).hostname!r}.",
                "Connect the backend with an address that Label Studio's machine or container can reach, as in "
                "http://host.docker.internal:9090 or an IP address (--url-for-label-studio).",
            )
        else:
            self.findings.problem(
                "address",
                f"Label Studio cannot reach {url}: {cause(said)}.",
                "Connect an address that Label Studio's machine or container reaches (`localhost` there is not the "
                "backend's machine), and see that no firewall is in between. --url-for-label-studio names another.",
            )
        return ""

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
        except CallRefused as error:
            self.findings.problem("webhook", str(error), "Use the token of somebody who may change the project.")
            return
        if meaning(refused) is Meaning.LOCAL_ADDRESS:
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
            count = len(self.webhook["actions"])
            kept = "every event" if self.webhook["send_for_all_actions"] else f"{count} kinds of events"
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
        here = LabelStudio(self._url, self._token, project_id=str(self.project["id"]), task_id=task_id)
        what, _, fix = fetched(here, address).partition(". ")
        if what:
            fix = fix or "See that the file is still there, and that the storage is connected and may be read."
            self.findings.problem("media", f"Those of task {task_id} cannot be fetched: {what}.", fix)
        else:
            self.findings.ok("media", f"Those of task {task_id} can be fetched from here ({shown}).")


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
