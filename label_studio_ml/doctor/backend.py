"""Plays Label Studio before a running backend: the calls it makes, in its order, within its deadlines.

Works with any backend that speaks the protocol. Leaves no marks: a throw-away project is deleted afterwards, and
the one event that is sent is none that trains.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx

from ..wire import bodies
from .caller import PATIENCE, Caller, Reply, no_answer
from .events import Events
from .findings import Findings, duration
from .predictions import Predictions
from .scene import Scene


class Examination:
    """One look at one backend. `state` is what it says about itself, `webhook_refused` what the webhook met."""

    def __init__(self, caller: Caller, scene: Scene) -> None:
        self.findings = Findings("backend")
        self.state: dict[str, Any] = {}
        self.model_version = ""
        self.webhook_refused = False
        self._caller, self._scene, self._deadlines = caller, scene, caller.deadlines

    def run(self) -> Findings:
        """Check everything; what cannot be checked because something before it failed is left out."""
        if not self._health():
            return self.findings
        try:
            self._play()
        finally:
            self._clean_up()
        return self.findings

    def _play(self) -> None:
        setup = self._sign_in()
        if setup is None:
            return
        self._look_at_state()
        if self._setup(setup):
            again = partial(self._call_setup, self._deadlines.setup)
            Predictions(self._caller, self._scene, self.findings, again, self.model_version).run()
        trains = self.state.get("train_events")
        events = Events(self._caller, self._scene, self.findings, trains if isinstance(trains, list) else [])
        events.run()
        self.webhook_refused = events.refused

    # --- reaching it -----------------------------------------------------------------------------------

    def _health(self) -> bool:
        deadline = self._deadlines.health
        reply = self._caller.call("GET", "health", deadline)
        if reply.trouble == "timeout":
            later = self._caller.call("GET", "health", PATIENCE)
            if not later.trouble:
                self.findings.problem(
                    "health",
                    f"/health took {duration(later.seconds)}; Label Studio gives up after {deadline:g} s and "
                    "shows the model as disconnected.",
                    "Let /health answer at once: serve it from a process that does not load or run the model, "
                    "and do not let requests queue before it.",
                )
                return self._understand_health(later)
        if reply.trouble:
            self.findings.problem("reachable", *no_answer(reply, self._caller.url, deadline, "backend"))
            return False
        if reply.location:
            return self._redirected(reply)
        if reply.ok and reply.seconds > deadline / 2:
            self.findings.warning(
                "health",
                f"/health took {duration(reply.seconds)}; Label Studio gives up after {deadline:g} s.",
                "Find out what keeps the machine or the server busy; Label Studio asks before every prediction.",
            )
        return self._understand_health(reply)

    def _understand_health(self, reply: Reply) -> bool:
        if reply.status == 401:
            self._refused()
            return False
        if reply.status == 404:
            return self._astray()
        if not reply.ok:
            self.findings.problem(
                "health",
                f"/health answers {reply.said}.",
                "See the backend's log; a proxy that answers in its place says so in this text.",
            )
            return False
        if reply.data is None:
            self.findings.problem(
                "health",
                f"/health at {self._caller.url} answers with {reply.said.partition(': ')[2] or 'nothing'}, not "
                "with JSON: this is something else than a backend.",
                "Give the address of the backend itself; `label-studio-ml start` prints it.",
            )
            return False
        self.state = reply.data
        self.findings.ok("health", f"{self._caller.url} answers in {duration(reply.seconds)}.")
        return True

    def _redirected(self, reply: Reply) -> bool:
        target = str(httpx.URL(f"{self._caller.url}/health").join(reply.location)).removesuffix("/health")
        self.findings.problem(
            "reachable",
            f"{self._caller.url} redirects to {target}; Label Studio's POST calls get lost on such a way.",
            f"Give Label Studio the address {target}.",
        )
        return False

    def _astray(self) -> bool:
        """A 404: the path before /health is wrong, or it is no backend."""
        url = httpx.URL(self._caller.url)
        parents = [url.path.rstrip("/").rpartition("/")[0], ""] if url.path.strip("/") else []
        for path in dict.fromkeys(parents):
            other = str(url.copy_with(path=path or "/")).rstrip("/")
            found = self._caller.call("GET", "health", self._deadlines.health, url=other)
            if found.status in (200, 401) and (found.data is not None or found.status == 401):
                self.findings.problem(
                    "reachable",
                    f"There is no backend below the path {url.path}, but there is one at {other}.",
                    f"Use the address {other}.",
                )
                return False
        self.findings.problem(
            "reachable",
            f"A server answers at {self._caller.url}, but it has no /health: it is no backend, or the backend "
            "is below some path.",
            "Give the whole address, with the path that a proxy puts before the backend, as in "
            f"{url.scheme}://{url.netloc.decode()}/my-model.",
        )
        return False

    # --- credentials -----------------------------------------------------------------------------------

    def _refused(self) -> None:
        if self._caller.auth:
            self.findings.problem(
                "sign-in",
                "The backend refuses this user and password.",
                "Use those that it was started with (--basic-auth-user, --basic-auth-pass, or BASIC_AUTH_USER "
                "and BASIC_AUTH_PASS in its environment), here and in Label Studio.",
            )
        else:
            self.findings.problem(
                "sign-in",
                "The backend wants a user and a password.",
                "Give them here with --basic-auth-user and --basic-auth-pass, and to Label Studio with "
                "`label-studio-ml connect` or in Settings, Model.",
            )

    def _sign_in(self) -> Reply | None:
        """The answer to /setup, or None where it is not let in."""
        deadline = self._deadlines.setup
        unsigned = self._call_setup(deadline, signed=False)
        locked = unsigned.status == 401
        reply = self._call_setup(deadline) if self._caller.auth else unsigned
        if reply.status == 401:
            self._refused()
            return None
        if not self._caller.auth:
            self.findings.ok("sign-in", "No password is needed: whoever reaches the backend may use it.")
        elif locked:
            self.findings.ok("sign-in", "User and password are right.")
        else:
            self.findings.warning(
                "sign-in",
                "A user and a password are given, but the backend asks for none.",
                "Start it with --basic-auth-user and --basic-auth-pass (or their variables in the environment).",
            )
        return reply

    # --- what it says about itself ---------------------------------------------------------------------

    def _look_at_state(self) -> None:
        """What our own server tells with /health; other backends say nothing of this."""
        model = self.state.get("model")
        if isinstance(model, dict) and model.get("state") == "failed":
            self.findings.problem(
                "model",
                f"The model cannot be loaded: {model.get('error') or 'no reason given'}",
                "Mend what the message names; `label-studio-ml start FOLDER --check` shows all of it. The server "
                "tries again by itself.",
            )
        elif isinstance(model, dict):
            name = self.state.get("model_class") or "the model"
            self.findings.ok("model", f"{name} is {model.get('state', 'there')}.")
        store = self.state.get("store")
        if isinstance(store, dict) and store.get("state") == "failed":
            self.findings.problem(
                "store",
                f"Events cannot be kept: {store.get('error') or 'no reason given'}",
                f"See that the disk of {self.state.get('model_dir', 'the model folder')} is writable and not full.",
            )
        problems = self.state.get("problems")
        if isinstance(problems, list) and problems:
            last = problems[-1]
            self.findings.warning(
                "lately",
                f"{len(problems)} failure{'s' if len(problems) > 1 else ''} since the start; the last: "
                f"{last.get('message')} (project {last.get('project')})",
                "Mend what the message names; the server's log has each of them.",
            )

    # --- setup and predictions -------------------------------------------------------------------------

    def _call_setup(self, deadline: float, *, signed: bool = True) -> Reply:
        scene = self._scene
        # Label Studio hands both over, too; where it has done so already, nobody needs them again.
        known = ("", "") if scene.real else (scene.label_studio_url, scene.label_studio_api_key)
        body = bodies.setup(scene.throw_away, scene.label_config, *known, scene.extra_params)
        return self._caller.call("POST", "setup", deadline, body=body, signed=signed)

    def _setup(self, reply: Reply) -> bool:
        deadline = self._deadlines.setup
        if reply.trouble == "timeout":
            later = self._call_setup(PATIENCE)
            took = f"took {duration(later.seconds)}" if later.ok else f"did not answer within {PATIENCE:g} s"
            self.findings.problem(
                "setup",
                f"/setup {took}; Label Studio gives up after {deadline:g} s and does not connect.",
                "Load the model in the background or at start, not in /setup. This package's server does: "
                "`label-studio-ml start FOLDER`.",
            )
            reply = later
            if not reply.ok:
                return False
        if not reply.ok:
            self._setup_failed(reply)
            return False
        version = (reply.data or {}).get("model_version")
        if not isinstance(version, str) or not version:
            self.findings.problem(
                "setup",
                "/setup names no model_version, so Label Studio cannot tell which tasks have been predicted: it "
                "predicts them again and again.",
                'Answer {"model_version": "some name"}; in the model class: self.set("model_version", "some name") '
                "in setup().",
            )
            return True
        self.model_version = version
        self.findings.ok("setup", f"/setup answers in {duration(reply.seconds)}: version {version}.")
        return True

    def _setup_failed(self, reply: Reply) -> None:
        what = f"/setup fails with {reply.said}"
        if self._scene.config_given:
            self.findings.problem(
                "setup",
                what,
                "Mend what the message names, or see the log; perhaps the model does not fit this config.",
            )
        else:
            self.findings.warning(
                "setup",
                f"{what} (with a labeling config that was made up)",
                "Give the project's own: --project N --label-studio-url URL --label-studio-api-key KEY, or "
                "--label-config FILE.",
            )

    def _clean_up(self) -> None:
        self._caller.call("POST", "delete", PATIENCE, body=bodies.delete(self._scene.throw_away))
