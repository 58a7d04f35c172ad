"""The author's class at work: what a worker and the trainer ask of it. Both generations.

Runs in a worker, in the trainer, or in the calling process; never in the web process. Knows nothing of
processes or sockets. `instances.py` makes and keeps instances, `predict.py` and `fit.py` work with one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..errors import LabelStudioError, SourceError
from ..instance import functions, signatures
from ..instance.labels import Remarks
from ..instance.state import state_of
from ..processes.messages import Answer, Description, Predict
from ..settings import Settings
from ..store import projects
from ..store.database import Database
from ..store.versions import Version
from . import fit
from .fit import Trained
from .instances import Instances
from .predict import Predictor


def training_rules(model_class: type[Any]) -> dict[str, Any]:
    """What the class says about when to train, as `Description` has it.

    Raises:
        SourceError: an attribute has a value that makes no sense.
    """
    said = {
        name: getattr(model_class, name, None)
        for name in ("TRAIN_ON", "TRAIN_EVERY", "TRAIN_MIN_ANNOTATIONS", "TRAIN_DEBOUNCE")
    }
    for name, value in said.items():
        whole = name in ("TRAIN_EVERY", "TRAIN_MIN_ANNOTATIONS")
        if name == "TRAIN_ON":
            fine, what = value in ("events", "start", "never"), "`events`, `start` or `never`"
        else:
            kind = int if whole else (int, float)
            fine = isinstance(value, kind) and not isinstance(value, bool) and 0 <= value < math.inf
            what = "a whole number, 0 or more" if whole else "a number of seconds, 0 or more"
        if value is not None and not fine:
            raise SourceError(f"{name} of {model_class.__name__} must be {what}, not {value!r}.")
    return {name.lower(): value for name, value in said.items()}


class ModelHost:
    """The author's class, its instances, and what can be asked of them."""

    def __init__(
        self,
        model_class: type[Any],
        kwargs: dict[str, Any],
        settings: Settings,
        database: Database,
        predictor: Predictor | None = None,
    ) -> None:
        self.model_class = model_class
        self._settings, self._database = settings, database
        self._instances = Instances(model_class, kwargs, settings, database)
        self._predictor = predictor or Predictor()
        self._remarks = Remarks()

    def describe(self) -> Description:
        """Look at the class without constructing it."""
        from ..model import LabelStudioMLBase

        learns = (
            self.model_class.fit is not LabelStudioMLBase.fit
            or self.model_class.process_event is not LabelStudioMLBase.process_event
            or functions.registered_update() is not None
        )
        predict = functions.registered_predict()
        if self.model_class.predict is not LabelStudioMLBase.predict or predict is None:
            predict = self.model_class.predict
        return Description(
            model_class=self.model_class.__name__,
            generation=signatures.fit_generation(self.model_class.fit),
            train_events=[str(event) for event in self.model_class.TRAIN_EVENTS],
            learns=learns,
            concurrent=signatures.is_concurrent(predict),
            **training_rules(self.model_class),
        )

    @property
    def evaluates(self) -> bool:
        """Whether the class measures itself with `evaluate(tasks)`."""
        return callable(getattr(self.model_class, "evaluate", None))

    def warm(self, project_id: str, label_config: str | None, number: int) -> str:
        """Have an instance ready and return the name of its version.

        Raises:
            LoadError: the author's constructor failed.
        """
        self._instances.look_again(project_id)
        with self._instances.borrow(project_id, label_config, number) as instance:
            return self._tell_of(instance)

    def predict(
        self,
        call: Predict,
        streamed: Callable[[Answer], None] | None = None,
        loading: Callable[[bool], None] = lambda _over: None,
    ) -> Answer:
        """Predict for the tasks of some requests, if possible by calling the author once.

        Args:
            call: the tasks, whose they are, and with which version.
            streamed: told of results that are ready before the rest.
            loading: told when an instance has to be constructed first (False), and when it is (True).

        Raises:
            LoadError: the instance cannot be constructed.
        """
        with self._instances.borrow(call.project_id, call.label_config, call.version, loading) as instance:
            answer = self._predictor.answer(instance, call, streamed)
            self._tell_of(instance)
        return answer

    def _tell_of(self, instance: Any) -> str:
        """Log what there is to say about the labels of an instance, and return the name of its version."""
        state = state_of(instance)
        self._remarks.tell(state.project.id, state.version.number, state.label_uses)
        return state.version.name

    def store(self, project_id: str, predictions: list[dict[str, Any]]) -> None:
        """Have Label Studio store predictions: `task` (its id), `result`, `score`, `model_version`.

        Raises:
            LabelStudioError: its address or token is not known, or it does not take them.
        """
        project = self._database.read(projects.get, project_id)
        hostname = self._settings.label_studio_url or (project.hostname if project else "")
        token = self._settings.label_studio_api_key or (project.access_token if project else "")
        if not hostname or not token:
            raise LabelStudioError(
                f"Label Studio's address and token are not known for project {project_id or '(none)'}. Connect the "
                "backend in Label Studio, or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY."
            )
        from ..label_studio import predictions as outbound

        outbound.write(hostname, token, project_id, predictions, verify=self._settings.verify_ssl)

    def fit(
        self,
        project_id: str,
        number: int,
        occurrences: Sequence[tuple[str, dict[str, Any]]],
        job_id: str,
        workdir: Path,
        annotated: Any,
        on_progress: Callable[[float | None, dict[str, float]], None] = lambda _fraction, _metrics: None,
    ) -> Trained:
        """Train a fresh instance of a version on some events.

        Raises:
            LoadError: the instance cannot be constructed.
            FitError: the author's code raised.
        """
        instance = self._instances.construct(project_id, None, number)
        return fit.fit(instance, occurrences, job_id, workdir, annotated, on_progress)

    def evaluate(
        self, project_id: str, parent: Version, trained: Trained, workdir: Path, tasks: Any
    ) -> dict[str, float]:
        """Let an instance of what fit() left measure itself; `{}` when the class does not do that.

        Raises:
            LoadError: such an instance cannot be constructed.
            FitError: the author's evaluate() raised, or returned something else than numbers by name.
        """
        if not self.evaluates:
            return {}
        project = self._database.read(projects.get, project_id)
        assert project is not None  # noqa: S101 - it has just been trained
        version = msgspec.structs.replace(parent, train_output=trained.train_output, workdir=str(workdir))
        state = self._instances.state(project, version)
        return fit.evaluate(self._instances.make, state, trained, tasks)
