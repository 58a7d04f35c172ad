"""What happened in Label Studio, and how it is handed to fit(). Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

START_TRAINING = "START_TRAINING"
_PLURALS = {"ANNOTATIONS_": "ANNOTATION_", "TASKS_": "TASK_"}


def canonical(action: str) -> str:
    """The singular spelling of an action; Label Studio deletes in the plural and creates in both.

    >>> canonical("ANNOTATIONS_DELETED")
    'ANNOTATION_DELETED'
    """
    for plural, singular in _PLURALS.items():
        if action.startswith(plural):
            return singular + action.removeprefix(plural)
    return action


def trains(action: str, train_events: Iterable[str]) -> bool:
    """Whether an action reaches fit(). The Start training button always does."""
    return action == START_TRAINING or canonical(action) in {canonical(event) for event in train_events}


def deliveries(action: str, data: dict[str, Any], train_events: Iterable[str]) -> list[tuple[str, dict[str, Any]]]:
    """The calls of fit() that one event becomes, in the spelling the author's `TRAIN_EVENTS` uses.

    An event about several annotations becomes one call for each, with `data["annotation"]`, when the author
    names the event in the singular.

    >>> deliveries("ANNOTATIONS_DELETED", {"annotations": [{"id": 4}]}, ["ANNOTATION_DELETED"])
    [('ANNOTATION_DELETED', {'annotations': [{'id': 4}], 'annotation': {'id': 4}})]
    """
    known = set(train_events)
    if action in known or canonical(action) not in known:
        return [(action, data)]
    many = data.get("annotations")
    if canonical(action).startswith("ANNOTATION_") and isinstance(many, list) and many and "annotation" not in data:
        return [(canonical(action), {**data, "annotation": one}) for one in many]
    return [(canonical(action), data)]


def annotated_tasks(events: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """The project's annotated tasks as far as its events tell, oldest event first.

    Yields tasks in Label Studio's JSON export form: `id`, `data`, `annotations`, …
    """
    ledger = _Ledger()
    for action, data in events:
        ledger.enter(canonical(action), data)
    for key, task in ledger.tasks.items():
        if ledger.annotations.get(key):
            yield {**task, "annotations": list(ledger.annotations[key].values())}


class _Ledger:
    """Tasks and their annotations by id, kept while events go by."""

    def __init__(self) -> None:
        self.tasks: dict[Any, dict[str, Any]] = {}
        self.annotations: dict[Any, dict[Any, dict[str, Any]]] = {}
        self._task_of: dict[Any, Any] = {}

    def enter(self, kind: str, data: dict[str, Any]) -> None:
        several = [one for one in data.get("annotations") or [] if isinstance(one, dict)]
        single = data.get("annotation")
        annotations = [single] if isinstance(single, dict) else several
        if kind == START_TRAINING and several and "data" in several[0]:
            self._start_over(several)
        elif kind in {"ANNOTATION_CREATED", "ANNOTATION_UPDATED"}:
            for annotation in annotations:
                self._put(annotation, data.get("task"))
        elif kind == "ANNOTATION_DELETED":
            for annotation in annotations:
                key = self._task_of.pop(annotation.get("id"), None)
                self.annotations.get(key, {}).pop(annotation.get("id"), None)
        elif kind == "TASK_DELETED":
            for task in data.get("tasks") or []:
                self.tasks.pop(task.get("id"), None)

    def _start_over(self, tasks: list[dict[str, Any]]) -> None:
        """The body of `/train` brings the whole annotated set."""
        self.tasks = {task.get("id", place): task for place, task in enumerate(tasks)}
        self.annotations = {
            key: dict(enumerate(task.get("annotations") or task.get("completions") or []))
            for key, task in self.tasks.items()
        }

    def _put(self, annotation: dict[str, Any], task: Any) -> None:
        task = task if isinstance(task, dict) else {}
        key = annotation.get("task") or task.get("id")
        if key is None:
            return
        if task and task.get("id", key) == key:
            self.tasks[key] = task
        self.annotations.setdefault(key, {})[annotation.get("id")] = annotation
        self._task_of[annotation.get("id")] = key
