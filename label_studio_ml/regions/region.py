"""What all regions share: how one is made, how one is read, and what a message about one says.

Runs in the author's process. Imports nothing heavy: arrays and tensors are known by their `tolist()`.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import RegionError

Region: TypeAlias = dict[str, Any]
"""An item of `result`, as Label Studio stores it."""

Labels: TypeAlias = str | Sequence[str]
"""One label, or several where the control has `choice="multiple"`."""

Size: TypeAlias = tuple[float, float]
"""Width and height of an image or video, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What every reader gives, beside the geometry, span or answer itself."""

    id: str | None
    """The region's id; parts of one thing share it."""
    score: float | None
    """How sure the model was, 0 to 1; None for what a person made."""
    labels: tuple[str, ...] = ()
    """The labels; empty for controls without any."""

    @property
    def label(self) -> str | None:
        """The first label, None if there is none."""
        return self.labels[0] if self.labels else None


# --- making -------------------------------------------------------------------------------------------------


def build(
    from_name: str,
    to_name: str,
    kind: str,
    value: dict[str, Any],
    *,
    score: Any = None,
    id: str | None = None,  # noqa: A002 - Label Studio's word
    **beside: Any,
) -> Region:
    """Put a region together.

    Args:
        from_name: name of the control tag.
        to_name: name of the object tag.
        kind: the control's tag in lower case.
        value: the value, of plain Python objects.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.
        beside: fields that stand beside the value.

    Raises:
        RegionError: the score is no number from 0 to 1.
    """
    region: Region = {
        "id": id or uuid.uuid4().hex[:10],
        "from_name": from_name,
        "to_name": to_name,
        "type": kind,
        "value": value,
        **beside,
    }
    if score is not None:
        region["score"] = within(score, 0, 1, f"the score for {from_name!r}")
    return region


def label_list(labels: Any) -> list[str]:
    """One label or several as a list; an empty one is left to Label Studio's own check."""
    if isinstance(labels, str):
        return [str(labels)]  # NumPy has strings of its own
    return [str(label) for label in plain(labels)]


def labelled(tag: str, labels: Labels | None) -> tuple[str, dict[str, Any]]:
    """The type of a region and the part of its value that holds labels: `Rectangle` or `RectangleLabels`."""
    if labels is None:
        return tag, {}
    return f"{tag}labels", {f"{tag}labels": label_list(labels)}


# --- plain values -------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """The same value in lists and Python numbers: for NumPy arrays and scalars, and tensors on any device."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def finite(value: Any, what: str) -> float:
    """A finite number; `what` names it in the message.

    Raises:
        RegionError: it is none.
    """
    value = plain(value)
    while isinstance(value, list) and len(value) == 1:  # arrays and tensors with one element
        (value,) = value
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise RegionError(f"{_sentence(what)} must be a number, not {value!r}.")
    found = float(value)
    if not math.isfinite(found):
        raise RegionError(f"{_sentence(what)} must be a finite number, not {found}.")
    return found


def within(value: Any, low: float, high: float, what: str) -> float:
    """A number from `low` to `high`.

    Raises:
        RegionError: it is none.
    """
    found = finite(value, what)
    if not low <= found <= high:
        raise RegionError(f"{_sentence(what)} must be from {low:g} to {high:g}, not {found:g}.")
    return found


def whole(value: Any, what: str) -> int:
    """A whole number.

    Raises:
        RegionError: it is none.
    """
    found = finite(value, what)
    if not found.is_integer():
        raise RegionError(f"{_sentence(what)} must be a whole number, not {found}.")
    return int(found)


def numbers(values: Any, count: int, what: str) -> list[float]:
    """A fixed count of numbers, from anything that holds them.

    Raises:
        RegionError: there are more or fewer, or some are no finite numbers.
    """
    listed = plain(values)
    if isinstance(listed, list) and len(listed) == 1 and isinstance(listed[0], list):
        (listed,) = listed  # a batch of one
    if not isinstance(listed, list) or len(listed) != count:
        raise RegionError(f"{_sentence(what)} must be {count} numbers, not {listed!r}.")
    return [finite(item, what) for item in listed]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


# --- reading ------------------------------------------------------------------------------------------------


def name_of(region: Mapping[str, Any]) -> str:
    """How messages call a region."""
    return f"Region {region.get('id')!r} of {region.get('from_name')!r} ({region.get('type')})"


def value_of(region: Mapping[str, Any], *fields: str) -> dict[str, Any]:
    """The value of a region, which has these fields.

    Raises:
        RegionError: it has not.
    """
    value = region.get("value")
    if not isinstance(value, dict):
        raise RegionError(f"{name_of(region)} has no value.")
    for field in fields:
        if field not in value:
            raise RegionError(
                f"{name_of(region)} has no {field!r}; its value has: {', '.join(value) or 'nothing'}."
            )
    return value


def found_in(region: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `Found` that a region gives."""
    value = region.get("value") or {}
    labels = value.get(str(region.get("type"))) or value.get("labels") or []
    is_labels = isinstance(labels, list) and all(isinstance(label, str) for label in labels)
    return {"id": region.get("id"), "score": region.get("score"), "labels": tuple(labels) if is_labels else ()}


def stored_number(region: Mapping[str, Any], field: str) -> float:
    """A finite number in the value of a region.

    Raises:
        RegionError: the field is missing, or no number.
    """
    return finite(value_of(region, field)[field], f"{name_of(region)}: {field!r}")


def annotated(
    tasks: Iterable[Mapping[str, Any]], from_name: str
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each region that people made with a control, with its task: what `fit(annotations)` learns from.

    Skipped tasks (`was_cancelled`) are left out.

    Args:
        tasks: annotated tasks, as `fit(annotations)` gets them.
        from_name: name of the control tag.

    >>> from label_studio_ml import regions
    >>> result = [regions.choices("mood", "text", "Positive")]
    >>> tasks = [{"data": {"text": "Good!"}, "annotations": [{"result": result}]}]
    >>> for task, region in regions.annotated(tasks, "mood"):
    ...     print(task["data"]["text"], regions.read_choices(region))
    Good! ['Positive']
    """
    for task, found in annotated_tasks(tasks, from_name):
        for region in found:
            yield task, region


def annotated_tasks(
    tasks: Iterable[Mapping[str, Any]], from_name: str
) -> Iterator[tuple[Mapping[str, Any], list[Mapping[str, Any]]]]:
    """Each annotation: its task, and all regions that people made in it with a control.

    These may be none, which tells a model something, too: there is nothing to find. Skipped tasks
    (`was_cancelled`) are left out; a task that several people annotated comes several times.

    Args:
        tasks: annotated tasks, as `fit(annotations)` gets them.
        from_name: name of the control tag.

    >>> from label_studio_ml import regions
    >>> rome = regions.text_span("what", "text", "City", text="Rome or home", start=0, end=4)
    >>> tasks = [{"data": {"text": "Rome or home"}, "annotations": [{"result": [rome]}, {"result": []}]}]
    >>> for task, found in regions.annotated_tasks(tasks, "what"):
    ...     print([regions.read_text_span(region).text for region in found])
    ['Rome']
    []
    """
    for task in tasks:
        for annotation in task.get("annotations") or []:
            if not annotation.get("was_cancelled"):
                every = annotation.get("result") or []
                yield task, [region for region in every if region.get("from_name") == from_name]
