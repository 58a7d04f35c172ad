"""Asks a backend for predictions, and looks at them as Label Studio does: count, form, versions, time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import PredictError
from ..stage import samples
from ..wire import bodies, results
from .caller import Caller, Reply
from .findings import Findings, duration
from .played_project import PlayedProject
from .trouble import Trouble

_MANY = 100
"""Tasks that people select for Retrieve predictions without a thought; Label Studio sends all in one request."""


class Predictions:
    """Asks for predictions, and looks at them."""

    def __init__(
        self,
        caller: Caller,
        played: PlayedProject,
        findings: Findings,
        version_now: Callable[[], str],
        model_version: str,
    ) -> None:
        """Begin.

        Args:
            caller: to the backend.
            played: what it is told.
            findings: where what is found goes.
            version_now: asks /setup once more which version predicts.
            model_version: what /setup said so far; empty when it named none.
        """
        self._caller, self._played, self._findings = caller, played, findings
        self._deadlines, self._interface = caller.deadlines, played.interface
        self._version_now, self._model_version = version_now, model_version

    def run(self) -> None:
        """Ask for predictions, interactive ones too where the project wants them, and for the versions."""
        self._predict()
        self._interact()
        self._versions()

    def _call_predict(self, tasks: Sequence[dict[str, Any]], context: dict[str, Any] | None = None) -> Reply:
        body = bodies.predict(tasks, self._played.predicted, self._played.label_config, context)
        return self._caller.call("POST", "predict", self._deadlines.predict, body=body)

    def _predict(self) -> None:
        tasks, deadline = self._played.tasks, self._deadlines.predict
        reply = self._call_predict(tasks)
        if reply.trouble is Trouble.TIMEOUT:
            self._findings.problem(
                "predict",
                f"/predict did not answer within {deadline:g} s for {len(tasks)} tasks; Label Studio stores "
                "nothing then.",
                "Make predict() faster: a smaller model, a GPU, fewer tasks at a time; load weights once, in "
                "setup(), not in predict().",
            )
            return
        if not reply.ok:
            self._predict_failed(reply)
            return
        results = (reply.data or {}).get("results")
        if not isinstance(results, list):
            self._findings.problem(
                "predict",
                '/predict does not answer {"results": [...]}, so Label Studio stores nothing.',
                "Answer a JSON object with the list `results`, one item for each task.",
            )
            return
        if len(results) != len(tasks):
            self._wrong_count(len(results))
            return
        self._speed(reply.seconds)
        self._check_predictions(results)

    def _predict_failed(self, reply: Reply) -> None:
        what = f"/predict fails with {reply.said}; Label Studio shows this text to nobody."
        if not self._played.is_conclusive:
            self._findings.warning(
                "predict",
                f"{what} The tasks and their media were made up.",
                "Try real ones: --project N --label-studio-url URL --label-studio-api-key KEY.",
            )
        else:
            self._findings.problem(
                "predict", what, "Fix predict(); the backend's log has the traceback, or start it with --debug."
            )

    def _wrong_count(self, got: int) -> None:
        wanted = len(self._played.tasks)
        consequence = (
            "asks for every task again, one by one" if got == 1 else "discards all of them without an error message"
        )
        self._findings.problem(
            "predict",
            f"/predict answers {got} result{'' if got == 1 else 's'} for {wanted} tasks; "
            f"Label Studio {consequence}.",
            "Return exactly one item for each task, in the same order; [] for a task without a prediction.",
        )

    def _speed(self, seconds: float) -> None:
        each = seconds / len(self._played.tasks)
        deadline = self._deadlines.predict
        fitting = int(deadline / each) if each else 10**6
        took = f"{len(self._played.tasks)} tasks took {duration(seconds)}"
        if fitting >= _MANY:
            self._findings.ok("predict", f"{took}.")
        else:
            self._findings.warning(
                "predict",
                f"{took}: Label Studio waits {deadline:g} s, which is enough for about {fitting} tasks at a time.",
                f"Select at most {max(fitting // 2, 1)} tasks for Retrieve predictions, or make predict() faster.",
            )

    def _check_predictions(self, results: list[Any]) -> None:
        if self._played.real:
            self._model_version = self._played.real_version
        else:
            self._model_version = self._version_now() or self._model_version
        invalid, without = self._invalid(results), sum(1 for item in results if item in ([], None))
        if invalid:
            more = f" ({len(invalid)} of {len(results)} tasks are affected)" if len(invalid) > 1 else ""
            self._findings.problem(
                "predictions",
                f"Label Studio would refuse the whole batch: {invalid[0]}{more}.",
                "Take control names, types and labels from the labeling config (self.label_interface, "
                "self.parsed_label_config), not from the code.",
            )
        elif without:
            self._left_out(without, len(results))
        else:
            self._findings.ok("predictions", "They fit the labeling config.")
        self._compare_versions(results)

    def _left_out(self, without: int, total: int) -> None:
        why = self._why_left_out()
        what = f"{without} of {total} tasks get no prediction" + (f": {why}" if why else ".")
        made_up = not self._played.is_conclusive
        fix = (
            "Try real tasks: --project N --label-studio-url URL --label-studio-api-key KEY."
            if made_up
            else "Fix what the message names."
            if why
            else "If that is not what the model means, look at the backend's log for the reason."
        )
        add = self._findings.problem if why and not made_up else self._findings.warning
        add("predictions", what, fix)

    def _why_left_out(self) -> str:
        """Our own server remembers why a task got no prediction."""
        state = self._caller.call("GET", "health", self._deadlines.health).data or {}
        problems = state.get("problems")
        project = self._played.predicted.partition(".")[0]
        for problem in reversed(problems if isinstance(problems, list) else []):
            if isinstance(problem, dict) and problem.get("project") == project:
                return str(problem.get("message"))
        return ""

    def _invalid(self, results: list[Any]) -> list[str]:
        """What Label Studio's own check says, task by task."""
        config, found = self._interface, []
        for task, item in zip(self._played.tasks, results, strict=True):
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
        if not self._played.interactive:
            return
        clicks = samples.clicks(self._interface, self._played.tasks[0])
        if not clicks:
            return
        reply = self._call_predict(self._played.tasks[:1], {"result": clicks[:1]})
        results = (reply.data or {}).get("results")
        if reply.ok and isinstance(results, list) and results and isinstance(results[0], dict):
            self._findings.ok("interactive", f"A click is answered in {duration(reply.seconds)}.")
            return
        what = reply.said if not reply.ok else "no prediction"
        self._findings.warning(
            "interactive",
            f"The project has interactive preannotations on, but a made-up click gets {what}.",
            "Answer calls that have a `context` with one prediction, or switch it off: label-studio-ml connect ... "
            "--no-interactive",
        )

    def _compare_versions(self, results: list[Any]) -> None:
        predicted: set[str] = set()
        for item in results:
            for prediction in item if isinstance(item, list) else [item]:
                if isinstance(prediction, dict) and "model_version" in prediction:
                    predicted.add(str(prediction["model_version"] or ""))
        announced = self._model_version
        if not announced:
            return
        others = sorted(predicted - {announced})
        if others:
            shown = ", ".join(repr(other) for other in others)
            self._findings.problem(
                "versions",
                f"/setup announces version {announced!r}, but predictions say {shown}: Label Studio predicts the "
                "same tasks again and again, and duplicates pile up.",
                "Name the version in one place only: self.set('model_version', ...) in setup(), and leave it out "
                "of predictions.",
            )
        elif predicted:
            self._findings.ok("versions", f"/setup and predictions agree on {announced}.")

    def _versions(self) -> None:
        reply = self._caller.call("GET", "versions", self._deadlines.versions)
        names = (reply.data or {}).get("versions")
        if reply.status in (404, 405, 501):
            self._findings.ok(
                "versions page", "It offers no /versions (older packages do not); nothing depends on it."
            )
        elif reply.trouble or not reply.ok or not isinstance(names, list):
            self._findings.warning(
                "versions page",
                f"/versions does not answer as it should ({reply.said}); Label Studio's model page lists none.",
                'Answer {"versions": ["name", ...]} within 3 s.',
            )
        elif self._model_version and self._model_version not in names:
            self._findings.warning(
                "versions page",
                f"/versions does not list {self._model_version!r}, which /setup announces.",
                "Let /versions, /setup and predictions name the same versions.",
            )
        else:
            self._findings.ok("versions page", f"/versions lists {len(names)}, the announced one among them.")


def _fault(config: Any, prediction: Any) -> str:
    """What is wrong with a prediction; empty when Label Studio would take it."""
    if not isinstance(prediction, dict) or "result" not in prediction:
        return "a prediction must be an object with the list `result`"
    try:
        results.check_score([prediction])
    except PredictError as error:
        return str(error).rstrip(".")
    wrong = config.validate_prediction(prediction, return_errors=True)
    return str(wrong[0]).rstrip(".") if wrong else ""
