"""Base classes of generation 1 that split a model into data preparation, prediction and training.

Runs wherever the author's code runs. New models rather derive from `LabelStudioMLBase` directly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .model import LabelStudioMLBase


class LabelStudioMLBaseHelper(LabelStudioMLBase):
    """Turns tasks into (X, y), calls `predict2` or `fit2`, and turns the answer into predictions."""

    def prepare_tasks(
        self, tasks: Sequence[Mapping[str, Any]], workdir: str | None = None, **kwargs: Any
    ) -> tuple[Any, Any]:
        """Return (X, y) for tasks: inputs, and labels or None where a task has no annotation."""
        raise NotImplementedError

    def convert_predictions(self, predictions: Any, **kwargs: Any) -> list[dict[str, Any]]:
        """Turn what `predict2` returned into Label Studio's predictions, one per task."""
        raise NotImplementedError

    def predict2(self, X: Any, y: Any = None, **kwargs: Any) -> Any:  # noqa: N803 - the historical name
        """Predict for prepared inputs; `convert_predictions` gets what this returns."""
        raise NotImplementedError

    def fit2(self, X: Any, y: Any, **kwargs: Any) -> Any:  # noqa: N803 - the historical name
        """Train on prepared inputs and labels; the dict returned becomes `train_output`."""
        raise NotImplementedError

    def predict(self, tasks: Any, context: Any = None, **kwargs: Any) -> Any:
        """Prepare the tasks, predict, and convert."""
        kwargs["context"] = context
        X, y = self.prepare_tasks(tasks, **kwargs)  # noqa: N806
        return self.convert_predictions(self.predict2(X, y, **kwargs), **kwargs)

    def fit(  # generation 1
        self, completions: Any, workdir: str | None = None, **kwargs: Any
    ) -> Any:
        """Prepare the annotated tasks and train; tasks without a usable annotation are left out."""
        usable = [task for task in completions if self._has_annotation(task)]
        X, y = self.prepare_tasks(usable, workdir=workdir, **kwargs)  # noqa: N806
        return self.fit2(X, y, **kwargs)

    @staticmethod
    def _annotations(task: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The task's annotations that are not skips; older exports call them completions."""
        found = task.get("annotations") or task.get("completions") or []
        return [item for item in found if not (item.get("was_cancelled") or item.get("skipped"))]

    def _has_annotation(self, task: Mapping[str, Any]) -> bool:
        return bool(self._annotations(task))


class LabelStudioMLChoices(LabelStudioMLBaseHelper):
    """A model for label configs with one `Choices`, on an object of any kind.

    `predict2` returns (list of lists of choices, list of scores), each as long as X. `fit2` gets lists
    of choices as y.

    Raises:
        AssertionError: the label config has another form.
    """

    from_name: str
    """Name of the `Choices`."""
    to_name: str
    """Name of the object it is on."""
    value: str
    """Field of the task's data."""
    info: dict[str, Any]
    """Everything that the parsed label config says about the control."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        controls = list(self.parsed_label_config.items())
        if len(controls) != 1 or controls[0][1]["type"] != "Choices" or len(controls[0][1]["inputs"]) != 1:
            raise AssertionError("This model needs a label config with one <Choices> on one object.")
        self.from_name, self.info = controls[0]
        self.to_name = self.info["to_name"][0]
        self.value = self.info["inputs"][0]["value"]

    def prepare_tasks(
        self,
        tasks: Sequence[Mapping[str, Any]],
        workdir: str | None = None,  # noqa: ARG002 - for subclasses
        **kwargs: Any,  # noqa: ARG002 - for subclasses
    ) -> tuple[list[Any], list[list[str] | None]]:
        """Return the tasks' data and the choices annotated, None where there are none."""
        return [task["data"][self.value] for task in tasks], [self._choices(task) for task in tasks]

    def convert_predictions(
        self,
        predictions: Any,
        **kwargs: Any,  # noqa: ARG002 - for subclasses
    ) -> list[dict[str, Any]]:
        """Turn (choices of each task, scores) into predictions."""
        return [
            {
                "result": [
                    {
                        "from_name": self.from_name,
                        "to_name": self.to_name,
                        "type": "choices",
                        "value": {"choices": choices},
                    }
                ],
                "score": score,
            }
            for choices, score in zip(*predictions, strict=True)
        ]

    def _has_annotation(self, task: Mapping[str, Any]) -> bool:
        return self._choices(task) is not None

    def _choices(self, task: Mapping[str, Any]) -> list[str] | None:
        for annotation in self._annotations(task):
            for region in annotation.get("result", []):
                if region.get("from_name", self.from_name) == self.from_name and region["value"].get("choices"):
                    choices: list[str] = region["value"]["choices"]
                    return choices
        return None
