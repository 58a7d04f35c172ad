"""Explanations of what is wrong with a region: what it has, what the config allows, what is nearest. Pure.

Slow and thorough: only regions that `rules` are not sure of come here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import InvalidPrediction, Reason
from .extra_checks import SLACK, backwards, not_finite, percentages
from .wording import listed, nearest, shorten, shown

_NEEDED = ("from_name", "to_name", "type", "value")


class Explainer:
    """Explains what is wrong with regions, for the controls of one labeling config."""

    def __init__(self, controls: Iterable[Any]) -> None:
        self._controls = {control.name: control for control in controls}
        self._nearest = functools.lru_cache(maxsize=256)(nearest)

    def explain(
        self, region: Any, place: str, refusal: str | None, partner: str | None
    ) -> InvalidPrediction | None:
        """What is wrong with a region, or None.

        Args:
            region: the region.
            place: how to call it.
            refusal: what the SDK said; None when it found nothing, and only the extra checks are made.
            partner: type of the region that a `<Labels>` region shares its id with.
        """
        if refusal is None:
            return self._extra_checks(region, place, partner)
        found = self._misnamed(region, place) or self._misfit(region, place, partner)
        return found or self._extra_checks(region, place, partner) or self._other(region, place, refusal)

    # --- names -----------------------------------------------------------------------------------------

    def _misnamed(self, region: Any, place: str) -> InvalidPrediction | None:
        """Whether control, object and type are missing or wrong."""
        if not isinstance(region, dict):
            return InvalidPrediction(f"{place} must be a dict, not {shown(region)}.", "shape")
        missing = [key for key in _NEEDED if key not in region]
        if missing:
            return InvalidPrediction(
                f"{place} lacks {listed(missing)}; a region needs {listed(_NEEDED)}.", "keys", _name(region)
            )
        control = self._control(region)
        if control is None:
            return self._no_control(region, place)
        where = _called(place, control)
        if not isinstance(region["to_name"], str) or region["to_name"] not in control.to_name:
            return InvalidPrediction(
                f"{where} has {shown(region['to_name'])} as `to_name`; it is on {listed(control.to_name)}.",
                "object",
                control.name,
            )
        if not isinstance(region["type"], str) or not self._takes(control, region["type"].lower()):
            return self._wrong_type(region, where, control)
        return None

    def _no_control(self, region: dict[str, Any], place: str) -> InvalidPrediction:
        got = region["from_name"]
        known = [f"`{name}` ({control.tag})" for name, control in self._controls.items()]
        has = f"it has {listed(known, quote=False)}" if known else "it has no controls"
        return InvalidPrediction(
            f"{place} is for the control {shown(got)}, which the labeling config does not have; "
            f"{has}{self._hint(got, tuple(self._controls))}.",
            "control",
            _name(region),
        )

    def _takes(self, control: Any, kind: str) -> bool:
        """Whether a control takes a type: its own, or for `<Labels>` that of a geometry beside it with labels."""
        if kind == control.tag.lower():
            return True
        return (
            control.tag.lower() == "labels"
            and kind.endswith("labels")
            and any(other.tag.lower() == kind.removesuffix("labels") for other in self._controls.values())
        )

    @staticmethod
    def _wrong_type(region: dict[str, Any], where: str, control: Any) -> InvalidPrediction:
        return InvalidPrediction(
            f"{where} has the type {shown(region['type'])}; that control takes `{control.tag.lower()}`.",
            "type",
            control.name,
        )

    # --- values that the SDK refuses ---------------------------------------------------------------------

    def _misfit(self, region: dict[str, Any], place: str, partner: str | None) -> InvalidPrediction | None:
        """Whether keys of the value are missing, or its labels are not in the config."""
        control, value = self._control(region), region["value"]
        where = _called(place, control)
        if not isinstance(value, dict):
            return InvalidPrediction(f"{where} needs a dict as `value`, not {shown(value)}.", "value", control.name)
        value = _inner(control, value)
        needed = list(self._needed(control, partner))
        missing = [key for key in needed if key not in value]
        if missing and region["type"] == control.tag.lower():
            return InvalidPrediction(
                f"{where} lacks {listed(missing)} in its value; that needs {listed(needed)}.", "keys", control.name
            )
        key = region["type"] if region["type"] in value else getattr(control, "_label_attr_name", None)
        for label in _labels(value.get(key)) if control.labels and key else ():
            if label not in control.labels:
                return InvalidPrediction(
                    f"{where} has the label {shown(label)}; the labeling config allows {listed(control.labels)}"
                    f"{self._hint(label, tuple(control.labels))}.",
                    "label",
                    control.name,
                )
        return None

    def _needed(self, control: Any, partner: str | None) -> Iterator[str]:
        """The keys that the value of a control must have."""
        model = getattr(control, "_value_class", None)
        for other in self._controls.values() if partner else ():
            if other.tag.lower() == partner:
                model = other._value_class  # noqa: SLF001 - there is no public way
        fields = getattr(model, "model_fields", {})
        attribute = getattr(control, "_label_attr_name", None)
        for name, field in fields.items():
            if field.is_required() and name != attribute:
                yield name
        if attribute and not (control.tag == "VideoRectangle" and not control.labels):
            yield attribute

    def _other(self, region: dict[str, Any], place: str, refusal: str) -> InvalidPrediction:
        """What the SDK's model of the value says, else what the SDK said of the region."""
        control = self._control(region)
        model = getattr(control, "_value_class", None)
        try:
            if model is not None:
                model(**_inner(control, region["value"]))
        except Exception as error:  # noqa: BLE001 - pydantic's own, or whatever this value provokes
            details: list[Any] = getattr(error, "errors", list)()
            if details:
                first = details[0]
                key = ".".join(map(str, first["loc"]))
                return InvalidPrediction(
                    f"{_called(place, control)} has {shown(first['input'])} as `{key}`; {_lower(first['msg'])}.",
                    "value",
                    control.name,
                )
        if control.tag == "Rating":
            got, most = shown(_inner(control, region["value"]).get("rating")), control.attr.get("maxRating", 5)
            message = f"{_called(place, control)} has {got} as `rating`; that is a whole number from 0 to {most}."
            return InvalidPrediction(message, "value", control.name)
        said = refusal.partition(": ")[2] if refusal.startswith("Region ") else refusal
        said = said.replace(". ", "; ")
        return InvalidPrediction(
            f"{_called(place, control)} does not fit: {shorten(said, 300)}.", "value", control.name
        )

    # --- checks that the SDK does not make ---------------------------------------------------------------

    def _extra_checks(self, region: dict[str, Any], place: str, partner: str | None) -> InvalidPrediction | None:
        """What the SDK lets through, and Label Studio then cannot store or show."""
        control = self._control(region)
        if control is None:  # the SDK takes None for "the only one"
            return self._no_control(region, place)
        where, value = _called(place, control), _inner(control, region["value"])
        found = next(not_finite(region), None)
        if found:
            key, number_ = found
            return InvalidPrediction(
                f"{where} has {number_} at `{key}`; only finite numbers can be stored.", "number", control.name
            )
        if not hasattr(control, "_value_class") or not isinstance(value, dict):
            return None
        if region["type"] != region["type"].lower():
            return self._wrong_type(region, where, control)
        outside = _outside(where, control, value, partner or region["type"].removesuffix("labels"))
        return outside or (_reversed(where, control, value) if partner is None else None)

    # --- helpers -----------------------------------------------------------------------------------------

    def _control(self, region: dict[str, Any]) -> Any:
        name = region.get("from_name")
        return self._controls.get(name) if isinstance(name, str) else None

    def _hint(self, got: Any, allowed: tuple[str, ...]) -> str:
        found = self._nearest(got, allowed) if isinstance(got, str) else None
        return f", and the nearest is `{found}`" if found is not None and len(allowed) > 1 else ""


def _outside(where: str, control: Any, value: dict[str, Any], kind: str) -> InvalidPrediction | None:
    """Whether a coordinate in percent of the image is none."""
    for key, found in percentages(value, kind):
        most = 50 if key.startswith("radius") else 100
        if not -SLACK <= found <= most:
            return InvalidPrediction(
                f"{where} has {found:g} as `{key}`; that is a percentage from 0 to {most}, "
                "so divide pixels by the size of the image.",
                "percentage",
                control.name,
            )
    return None


def _reversed(where: str, control: Any, value: dict[str, Any]) -> InvalidPrediction | None:
    """Whether a span ends before it starts."""
    fields = getattr(control._value_class, "model_fields", {})  # noqa: SLF001 - there is no public way
    spans = [value] if {"start", "end"} <= set(fields) else value["ranges"] if "ranges" in fields else []
    for span in spans:
        if isinstance(span, dict) and backwards(span):
            part = "Offset" if span["start"] == span["end"] else ""
            start, end = shown(span[f"start{part}"]), shown(span[f"end{part}"])
            return InvalidPrediction(
                f"{where} ends before it starts: `start{part}` is {start} and `end{part}` is {end}.",
                "span",
                control.name,
            )
    return None


def of_relation(relation: dict[str, Any], place: str, ids: set[Any]) -> InvalidPrediction | None:
    """What is wrong with a relation between regions of these ids, or None."""
    reason: Reason = "relation"
    missing = [key for key in ("direction", "from_id", "to_id") if key not in relation]
    if missing:
        return InvalidPrediction(
            f"{place} is a relation and lacks {listed(missing)}; it needs `direction`, `from_id` and `to_id`.",
            reason,
        )
    if relation["direction"] not in ("left", "right", "bi"):
        return InvalidPrediction(
            f"{place} is a relation with the direction {shown(relation['direction'])}; "
            "that must be `left`, `right` or `bi`.",
            reason,
        )
    for key in ("from_id", "to_id"):
        if isinstance(relation[key], dict | list) or relation[key] not in ids:
            return InvalidPrediction(
                f"{place} is a relation whose `{key}` is {shown(relation[key])}; no region has that id.", reason
            )
    if next(not_finite(relation), None):
        return InvalidPrediction(f"{place} has a number that is not finite; it cannot be stored.", "number")
    return None


def _called(place: str, control: Any) -> str:
    return f"{place} for control `{control.name}` ({control.tag})"


def _name(region: dict[str, Any]) -> str:
    name = region.get("from_name")
    return shorten(name) if isinstance(name, str) else ""


def _inner(control: Any, value: Any) -> Any:
    """The value that the SDK looks at: it may be nested under the control's name."""
    inner = value.get(control.name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) and control.tag != "Ranker" else value


def _labels(value: Any) -> Iterator[Any]:
    """The labels in a list of labels, or of paths of labels."""
    for item in value if isinstance(value, list) else ():
        if isinstance(item, list):
            yield from item
        else:
            yield item


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
