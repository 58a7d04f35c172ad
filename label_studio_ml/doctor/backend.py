"""Plays Label Studio before a running backend: the calls it makes, in its order, within its deadlines.

Works with any backend that speaks the protocol. Leaves no marks: a throw-away project is deleted afterwards, and
the one event that is sent is none that trains.
"""

from __future__ import annotations

from typing import Any

import httpx

from ..errors import PredictError
from ..protocol import responses
from .caller import Caller, Reply, no_answer
from .findings import Findings, duration
from .scene import Scene, interface, sample_region

PATIENCE = 15.0
"""Seconds to wait once more for an answer that missed its deadline, to tell slow from dead."""

_HARMLESS = ("TASKS_DELETED", "PROJECT_UPDATED", "TASKS_CREATED")
_MANY = 100
"""Tasks that people select for Retrieve predictions without a thought; Label Studio sends all in one request."""


class Examination:
    """One look at one backend. `state` is what it says about itself, `webhook_refused` what the webhook met."""

    def __init__(self, caller: Caller, scene: Scene) -> None:
        self.findings = Findings("backend")
        self.state: dict[str, Any] = {}
        self.model_version: str | None = None
        self.predicted_versions: set[str] = set()
        self.locked = False
        self.webhook_refused = False
        self.reached = False
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
            self._predict()
            self._interact()
            self._versions()
        self._webhook()
        self._training()

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
        self.reached = True
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
        self.locked = self.reached = True
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
        self.locked = unsigned.status == 401
        reply = self._call_setup(deadline) if self._caller.auth else unsigned
        if reply.status == 401:
            self._refused()
            return None
        if not self._caller.auth:
            self.findings.ok("sign-in", "No password is needed: whoever reaches the backend may use it.")
        elif self.locked:
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
        body = {
            "project": self._scene.throw_away,
            "schema": self._scene.label_config,
            "hostname": self._scene.label_studio_url,
            "access_token": self._scene.label_studio_api_key,
            "extra_params": self._scene.extra_params,
        }
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

    def _call_predict(self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None) -> Reply:
        body = {
            "tasks": tasks,
            "project": self._scene.predicted_project,
            "label_config": self._scene.label_config,
            "params": {"login": None, "password": None, "context": context},
        }
        return self._caller.call("POST", "predict", self._deadlines.predict, body=body)

    def _predict(self) -> None:
        scene, deadline = self._scene, self._deadlines.predict
        reply = self._call_predict(scene.tasks)
        if reply.trouble == "timeout":
            self.findings.problem(
                "predict",
                f"/predict did not answer within {deadline:g} s for {len(scene.tasks)} tasks; Label Studio stores "
                "nothing then.",
                "Make predict() faster: a smaller model, a GPU, fewer tasks at a time; load weights in setup() or "
                "once for all, not in predict().",
            )
            return
        if not reply.ok:
            self._predict_failed(reply)
            return
        results = (reply.data or {}).get("results")
        if not isinstance(results, list):
            self.findings.problem(
                "predict",
                '/predict does not answer {"results": [...]}, so Label Studio stores nothing.',
                "Answer a JSON object with the list `results`, one item for each task.",
            )
            return
        if len(results) != len(scene.tasks):
            self._wrong_count(len(results))
            return
        self._speed(reply.seconds)
        self._check_predictions(results)

    def _predict_failed(self, reply: Reply) -> None:
        what = f"/predict fails with {reply.said}; Label Studio shows people nothing of this text."
        if not self._scene.telling:
            self.findings.warning(
                "predict",
                f"{what} The tasks and their media were made up.",
                "Try real ones: --project N --label-studio-url URL --label-studio-api-key KEY.",
            )
        else:
            self.findings.problem(
                "predict", what, "Mend predict(); the backend's log has the traceback, or start it with --debug."
            )

    def _wrong_count(self, got: int) -> None:
        wanted = len(self._scene.tasks)
        consequence = (
            "asks for every task again, one by one" if got == 1 else "throws all of them away without a word"
        )
        self.findings.problem(
            "predict",
            f"/predict answers {got} result{'' if got == 1 else 's'} for {wanted} tasks; "
            f"Label Studio {consequence}.",
            "Return exactly one item for each task, in the same order; [] for a task without a prediction.",
        )

    def _speed(self, seconds: float) -> None:
        each = seconds / len(self._scene.tasks)
        deadline = self._deadlines.predict
        fitting = int(deadline / each) if each else 10**6
        took = f"{len(self._scene.tasks)} tasks took {duration(seconds)}"
        if fitting >= _MANY:
            self.findings.ok("predict", f"{took}.")
        else:
            self.findings.warning(
                "predict",
                f"{took}: Label Studio waits {deadline:g} s, which is enough for about {fitting} tasks at a time.",
                f"Select at most {max(fitting // 2, 1)} tasks for Retrieve predictions, or make predict() faster.",
            )

    def _check_predictions(self, results: list[Any]) -> None:
        if self._scene.real:
            self.model_version = self._scene.real_version
        else:
            again = self._call_setup(self._deadlines.setup)  # slow models have a name only once they are loaded
            self.model_version = str((again.data or {}).get("model_version") or self.model_version or "")
        invalid, without = self._invalid(results), sum(1 for item in results if item in ([], None))
        if invalid:
            more = f" ({len(invalid)} of {len(results)} tasks are affected)" if len(invalid) > 1 else ""
            self.findings.problem(
                "predictions",
                f"Label Studio would refuse the whole batch: {invalid[0]}{more}.",
                "Take control names, types and labels from the labeling config (self.label_interface, "
                "self.parsed_label_config), not from the code.",
            )
        elif without:
            self._left_out(without, len(results))
        else:
            self.findings.ok("predictions", "They fit the labeling config.")
        self._compare_versions(results)

    def _left_out(self, without: int, total: int) -> None:
        why = self._why_left_out()
        what = f"{without} of {total} tasks get no prediction" + (f": {why}" if why else ".")
        made_up = not self._scene.telling
        fix = (
            "Try real tasks: --project N --label-studio-url URL --label-studio-api-key KEY."
            if made_up
            else "Mend what the message names."
            if why
            else "If that is not what the model means, see the backend's log for the reason."
        )
        add = self.findings.problem if why and not made_up else self.findings.warning
        add("predictions", what, fix)

    def _why_left_out(self) -> str:
        """Our own server remembers why a task got no prediction."""
        state = self._caller.call("GET", "health", self._deadlines.health).data or {}
        problems = state.get("problems")
        project = self._scene.predicted_project.partition(".")[0]
        for problem in reversed(problems if isinstance(problems, list) else []):
            if isinstance(problem, dict) and problem.get("project") == project:
                return str(problem.get("message"))
        return ""

    def _invalid(self, results: list[Any]) -> list[str]:
        """What Label Studio's own check says, task by task."""
        config, found = interface(self._scene.label_config), []
        for task, item in zip(self._scene.tasks, results, strict=True):
            for prediction in item if isinstance(item, list) else [item]:
                if prediction is None:
                    continue
                why = _fault(config, prediction)
                if why:
                    found.append(f"task {task['id']}: {why}")
                    break
        return found

    def _interact(self) -> None:
        """Where the project has interactive preannotations on: what a smart tool would get."""
        region = sample_region(self._scene.label_config) if self._scene.interactive else None
        if region is None:
            return
        reply = self._call_predict(self._scene.tasks[:1], {"result": [region]})
        results = (reply.data or {}).get("results")
        if reply.ok and isinstance(results, list) and results and isinstance(results[0], dict):
            self.findings.ok("interactive", f"A click is answered in {duration(reply.seconds)}.")
            return
        what = reply.said if not reply.ok else "no prediction"
        self.findings.warning(
            "interactive",
            f"The project has interactive preannotations on, but a made-up click gets {what}.",
            "Answer calls that have a `context` with one prediction, or switch it off: label-studio-ml connect ... "
            "--no-interactive",
        )

    def _compare_versions(self, results: list[Any]) -> None:
        for item in results:
            for prediction in item if isinstance(item, list) else [item]:
                if isinstance(prediction, dict) and "model_version" in prediction:
                    self.predicted_versions.add(str(prediction["model_version"] or ""))
        announced = self.model_version
        if not announced:
            return
        others = sorted(self.predicted_versions - {announced})
        if others:
            shown = ", ".join(repr(other) for other in others)
            self.findings.problem(
                "versions",
                f"/setup announces version {announced!r}, but predictions say {shown}: Label Studio predicts the "
                "same tasks again and again, and duplicates pile up.",
                "Name the version in one place only: self.set('model_version', ...) in setup(), and leave it out "
                "of predictions.",
            )
        elif self.predicted_versions:
            self.findings.ok("versions", f"/setup and predictions agree on {announced}.")

    def _versions(self) -> None:
        reply = self._caller.call("GET", "versions", self._deadlines.versions)
        names = (reply.data or {}).get("versions")
        if reply.status in (404, 405, 501):
            self.findings.ok(
                "versions page", "It offers no /versions (older packages do not); nothing depends on it."
            )
        elif reply.trouble or not reply.ok or not isinstance(names, list):
            self.findings.warning(
                "versions page",
                f"/versions does not answer as it should ({reply.said}); Label Studio's model page lists none.",
                'Answer {"versions": ["name", ...]} within 3 s.',
            )
        elif self.model_version and self.model_version not in names:
            self.findings.warning(
                "versions page",
                f"/versions does not list {self.model_version!r}, which /setup announces.",
                "Let /versions, /setup and predictions name the same versions.",
            )
        else:
            self.findings.ok("versions page", f"/versions lists {len(names)}, the announced one among them.")

    # --- events and training ---------------------------------------------------------------------------

    def _webhook(self) -> None:
        deadline = self._deadlines.webhook
        trains = self.state.get("train_events")
        action = next((name for name in _HARMLESS if name not in (trains if isinstance(trains, list) else [])), "")
        if not action:
            return
        reply = self._send(action, deadline)
        if reply.status == 401:
            self.webhook_refused = True
            if not self._scene.webhook_known:
                self._webhook_refused()
        elif reply.trouble == "timeout":
            later = self._send(action, PATIENCE)
            took = f"took {duration(later.seconds)}" if later.ok else f"did not answer within {PATIENCE:g} s"
            self.findings.problem(
                "webhook",
                f"/webhook {took}; Label Studio gives up after {deadline:g} s and drops the event for good.",
                "Do not train inside the webhook. This package's server keeps the event and trains in another "
                "process: `label-studio-ml start FOLDER`.",
            )
        elif not reply.ok:
            self.findings.problem(
                "webhook",
                f"/webhook fails with {reply.said}; the event is lost, Label Studio does not try again.",
                "See the backend's log for the reason.",
            )
        elif reply.seconds > deadline / 2:
            self.findings.warning(
                "webhook",
                f"/webhook took {duration(reply.seconds)}; Label Studio gives up after {deadline:g} s.",
                "Find out what keeps the machine or its disk busy.",
            )
        else:
            self.findings.ok("webhook", f"Events are taken in {duration(reply.seconds)}.")

    def _webhook_refused(self) -> None:
        if self._scene.webhook_headers:
            self.findings.problem(
                "webhook",
                "The backend refuses events with this webhook secret: annotations never train the model.",
                "Start the backend with the same --webhook-secret (or LABEL_STUDIO_ML_WEBHOOK_SECRET) as is given "
                "here and to `label-studio-ml connect`.",
            )
        else:
            self.findings.problem(
                "webhook",
                "The backend refuses events without credentials, and Label Studio's webhooks carry none by "
                "themselves: annotations never train the model.",
                "Start the backend with --webhook-secret SECRET, then run: label-studio-ml connect "
                f"{self._caller.url} --project N --webhook-secret SECRET",
            )

    def _send(self, action: str, deadline: float) -> Reply:
        project, _, _ = self._scene.throw_away.partition(".")
        body = {
            "action": action,
            "tasks": [],
            "project": {"id": int(project), "title": "doctor", "label_config": self._scene.label_config},
        }
        headers = self._scene.webhook_headers
        return self._caller.call("POST", "webhook", deadline, body=body, headers=headers, signed=False)

    def _training(self) -> None:
        """The newest job of the project, or of any."""
        project = self._scene.real.partition(".")[0]
        path = f"is_training?project={project}" if project else "jobs"
        reply = self._caller.call("GET", path, self._deadlines.job_status)
        data = reply.data or {}
        jobs = data.get("jobs")
        job = data.get("job") if project else jobs[0] if isinstance(jobs, list) and jobs else None
        if not reply.ok or not isinstance(job, dict):
            return
        name, state = job.get("job", "?"), job.get("job_status") or job.get("state")
        if state == "failed":
            self.findings.problem(
                "training",
                f"The last training failed: {job.get('error') or 'no reason given'}",
                f"See `label-studio-ml jobs logs {name}`, mend fit(), then `label-studio-ml jobs retry {name}`.",
            )
        else:
            self.findings.ok("training", f"The last training is {state}.")

    def _clean_up(self) -> None:
        self._caller.call("POST", "delete", PATIENCE, body={"project": self._scene.throw_away})


def _fault(config: Any, prediction: Any) -> str:
    """What is wrong with a prediction; empty when Label Studio would take it."""
    if not isinstance(prediction, dict) or "result" not in prediction:
        return "a prediction must be an object with the list `result`"
    try:
        responses.check_score([prediction])
    except PredictError as error:
        return str(error).rstrip(".")
    wrong = config.validate_prediction(prediction, return_errors=True)
    return str(wrong[0]).rstrip(".") if wrong else ""
