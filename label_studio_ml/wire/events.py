"""What happened in Label Studio, and how it is handed to fit(). Pure functions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

START_TRAINING = "START_TRAINING"
_LONGEST = 200
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


_SENDABLE = (
    "PROJECT_UPDATED",
    "TASKS_CREATED",
    "TASKS_DELETED",
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
    "LABEL_LINK_CREATED",
    "LABEL_LINK_UPDATED",
    "LABEL_LINK_DELETED",
)
"""The actions that a webhook of a project can be narrowed to, in Label Studio's spelling."""


def wanted(train_events: Iterable[str], *, keeps_annotations: bool) -> list[str]:
    """The actions that a webhook must send to a backend that learns, in Label Studio's spelling.

    Args:
        train_events: what reaches fit().
        keeps_annotations: whether every change of an annotation has to be known, to count or to learn from later.

    >>> wanted(["ANNOTATION_CREATED"], keeps_annotations=False)
    ['PROJECT_UPDATED', 'TASKS_CREATED', 'TASKS_DELETED', 'ANNOTATION_CREATED', 'ANNOTATIONS_CREATED']
    """
    needed = {canonical(event) for event in train_events} | {"PROJECT_UPDATED", "TASK_CREATED", "TASK_DELETED"}
    if keeps_annotations:
        needed |= {"ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED"}
    return [action for action in _SENDABLE if canonical(action) in needed]


def deliveries(action: str, data: dict[str, Any], train_events: Iterable[str]) -> list[tuple[str, dict[str, Any]]]:
    """The calls of fit() that one event becomes, in the spelling the author's `TRAIN_EVENTS` uses.

    An event about several annotations becomes one call for each, with `data["annotation"]`, when the author
    names the event in the singular.

    >>> deliveries("ANNOTATIONS_DELETED", {"annotations": [{"id": 4}]}, ["ANNOTATION_DELETED"])
    [('ANNOTATION_DELETED', {'annotations': [{'id': 4}], 'annotation': {'id': 4}})]
    """
    spellings = [event for event in train_events if canonical(event) == canonical(action)]
    if action in spellings or not spellings:
        return [(action, data)]
    spelling, one, many = spellings[0], data.get("annotation"), data.get("annotations")
    if spelling == canonical(action):
        if spelling.startswith("ANNOTATION_") and isinstance(many, list) and many and "annotation" not in data:
            return [(spelling, {**data, "annotation": each}) for each in many]
    elif one is not None and "annotations" not in data:
        return [(spelling, {**data, "annotations": [one]})]
    return [(spelling, data)]


class Touched(NamedTuple):
    """What an event did to an annotation, or (without `annotation`) to all annotations of a task. Ids as text."""

    annotation: str
    task: str
    skipped: bool = False
    gone: bool = False


def touched(action: str, data: dict[str, Any]) -> list[Touched]:
    """The annotations that an event is about.

    >>> touched("ANNOTATION_CREATED", {"annotation": {"id": 3, "task": 7, "was_cancelled": True}})
    [Touched(annotation='3', task='7', skipped=True, gone=False)]
    """
    kind = canonical(action)
    if kind == "TASK_DELETED":
        return [Touched("", _key(task), gone=True) for task in _dicts(data.get("tasks")) if _key(task)]
    if kind not in {"ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED"}:
        return []
    single = data.get("annotation")
    return [
        Touched(
            _key(one),
            _key(one, "task"),
            bool(one.get("was_cancelled") or one.get("skipped")),
            kind == "ANNOTATION_DELETED",
        )
        for one in ([single] if isinstance(single, dict) else _dicts(data.get("annotations")))
        if _key(one)
    ]


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
    """Tasks and their annotations by id, kept while events go by. What has no usable form is passed over."""

    def __init__(self) -> None:
        self.tasks: dict[Any, dict[str, Any]] = {}
        self.annotations: dict[Any, dict[Any, dict[str, Any]]] = {}
        self._task_of: dict[Any, Any] = {}
        self._unnamed = itertools.count()

    def enter(self, kind: str, data: dict[str, Any]) -> None:
        several = _dicts(data.get("annotations"))
        single = data.get("annotation")
        annotations = [single] if isinstance(single, dict) else several
        if kind == START_TRAINING and several and "data" in several[0]:
            self._start_over(several)
        elif kind in {"ANNOTATION_CREATED", "ANNOTATION_UPDATED"}:
            for annotation in annotations:
                self._put(annotation, data.get("task"))
        elif kind == "ANNOTATION_DELETED":
            for annotation in annotations:
                self._drop(_id(annotation))
        elif kind == "TASK_CREATED":
            for task in _dicts(data.get("tasks")):
                if _id(task) is not None:  # annotations made in bulk name their task without bringing it
                    self.tasks.setdefault(_id(task), task)
        elif kind == "TASK_DELETED":
            for task in _dicts(data.get("tasks")):
                self.tasks.pop(_id(task), None)
                for annotation_id in self.annotations.pop(_id(task), {}):
                    self._task_of.pop(annotation_id, None)

    def _start_over(self, tasks: list[dict[str, Any]]) -> None:
        """The body of `/train` brings the whole annotated set."""
        self.tasks, self.annotations, self._task_of = {}, {}, {}
        for task in tasks:
            key: Any = _id(task)
            key = ("unnamed", next(self._unnamed)) if key is None else key
            self.tasks[key] = task
            for annotation in _dicts(task.get("annotations") or task.get("completions")):
                self._enter(annotation, key)

    def _put(self, annotation: dict[str, Any], task: Any) -> None:
        task = task if isinstance(task, dict) else {}
        key = _id({"id": annotation.get("task")}) or _id(task)
        if key is None:
            return
        if task and task.get("id", key) == key:
            self.tasks[key] = task
        if self._task_of.get(_id(annotation), key) != key:
            self._drop(_id(annotation))
        self._enter(annotation, key)

    def _enter(self, annotation: dict[str, Any], key: Any) -> None:
        of_task = self.annotations.setdefault(key, {})
        annotation_id = _id(annotation)
        if annotation_id is None:
            of_task[("unnamed", next(self._unnamed))] = annotation
        else:
            of_task[annotation_id] = annotation
            self._task_of[annotation_id] = key

    def _drop(self, annotation_id: int | str | None) -> None:
        self.annotations.get(self._task_of.pop(annotation_id, None), {}).pop(annotation_id, None)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _key(one: dict[str, Any], field: str = "id") -> str:
    """An id as text that any database takes; empty when there is none, or what stands there is no id."""
    found = one.get(field)
    if not isinstance(found, int | str) or isinstance(found, bool):
        return ""
    text = str(found)
    return text if len(text) <= _LONGEST and "\0" not in text else ""


def _id(one: dict[str, Any]) -> int | str | None:
    found = one.get("id")
    return found if isinstance(found, int | str) else None
