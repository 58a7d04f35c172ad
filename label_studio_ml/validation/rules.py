"""Rules for regions, compiled from the SDK's control tags. Pure functions; they run where predictions are checked.

The SDK describes the value of each tag by a pydantic model. From it comes a msgspec type that takes a part of what
the model takes, and looks at a region in C. So a rule says "certainly fits" or "ask the SDK", never "does not fit".
"""

from __future__ import annotations

import contextlib
import dataclasses
import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from .extra_checks import SLACK, backwards, finite

GEOMETRY = frozenset({"rectangle", "polygon", "ellipse", "keypoint", "brush", "bitmask", "vector"})
"""Types of regions that a `<Labels>` region may share its id with; it then has their value, and `labels`."""

_PERCENT_LIMITS = (50, 100)
"""Upper limits of the SDK that mark a percentage (50: of a radius). It leaves the lower one out."""

_LIMITS = ("gt", "ge", "lt", "le", "min_length", "max_length")


_REGION = frozenset({"from_name", "to_name", "type", "value"})
_NOTHING: frozenset[str] = frozenset()


class Unknown(Exception):
    """The SDK's model has something that is not translated here."""


class Rule(msgspec.Struct, frozen=True):
    """What certainly fits one control."""

    shape: Any
    """The type of a whole region."""
    partners: dict[str, Any]
    """By type of a geometry: the type of a `<Labels>` region that shares its id with one."""
    finite: frozenset[str]
    """Keys of the value whose types leave no room for NaN."""
    nested: str | None
    """The name under which the SDK would look for another value inside the value."""
    has_span: bool
    """Whether the value has a start and an end."""
    has_ranges: bool
    """Whether the value has a list of spans."""

    def fits(self, region: dict[str, Any], partner: str | None = None) -> bool:
        """Whether a region certainly fits; False means that the SDK must be asked.

        Args:
            region: the region.
            partner: type of the region that a `<Labels>` region shares its id with.
        """
        shape = self.shape if partner is None else self.partners.get(partner)
        if shape is None:
            return False
        try:
            msgspec.convert(region, shape)
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
            return False
        value = region["value"]
        if self.nested is not None and self.nested in value and isinstance(value[self.nested], dict):
            return False
        if self.has_span and partner is None and backwards(value):
            return False
        if self.has_ranges and any(map(backwards, value["ranges"])):
            return False
        known = self.finite if partner is None else _NOTHING
        return (region.keys() <= _REGION or finite(region, _REGION)) and (
            value.keys() <= known or finite(value, known)
        )


def compile_rules(controls: Iterable[Any], objects: Iterable[str]) -> dict[str, Rule]:
    """The rules for those control tags of the SDK that can be translated, by name."""
    controls, objects = list(controls), set(objects)
    rules = {}
    for control in controls:
        try:
            rules[control.name] = _compile(control, controls, objects)
        except (Unknown, AttributeError, TypeError, ValueError):  # another SDK: it is asked instead
            continue
    return rules


def _compile(control: Any, controls: list[Any], objects: set[str]) -> Rule:
    fields = _value_fields(control)
    names = {field[0] for field in fields}
    partners = {}
    if may_be_split(control):
        labels = next(field for field in fields if field[0] == "labels")
        for other in controls:
            kind = other.tag.lower()
            if kind in GEOMETRY:
                with contextlib.suppress(Unknown, AttributeError, TypeError):
                    partners[kind] = _region(control, objects, [*_fields(other._value_class), labels])  # noqa: SLF001
    return Rule(
        shape=_region(control, objects, fields),
        partners=partners,
        finite=frozenset(field[0] for field in fields if _is_finite(field[1])),
        nested=None if _definer(control, "validate_value") == "RankerTag" else control.name,
        has_span={"start", "end"} <= names,
        has_ranges="ranges" in names,
    )


def may_be_split(control: Any) -> bool:
    """Whether the SDK looks for a region of another type with the same id: `<Labels>` beside `<Rectangle>`."""
    return hasattr(control, "_get_split_partner_value_class")


def _is_finite(kind: Any) -> bool:
    """Whether values of a type hold no NaN and nothing infinite: msgspec compares numbers with their limits."""
    if get_origin(kind) is Annotated:
        inner, *limits = get_args(kind)
        bounded = all(limit.ge is not None and limit.le is not None for limit in limits)
        return (inner is float and bounded) or _is_finite(inner)
    if get_origin(kind) in (list, tuple, Union, types.UnionType):
        return all(map(_is_finite, get_args(kind)))
    return kind in (str, int, bool, type(None)) or get_origin(kind) is Literal


def _region(control: Any, objects: set[str], fields: list[Any]) -> Any:
    targets = [name for name in control.to_name if name in objects]
    if not targets:
        raise Unknown
    shape = msgspec.defstruct(
        "Region",
        [
            ("to_name", Literal[tuple(targets)]),
            ("type", Literal[control.tag.lower()]),
            ("value", msgspec.defstruct("Value", fields, kw_only=True)),
        ],
    )
    with contextlib.suppress(msgspec.ValidationError):
        msgspec.convert({}, shape)  # raises TypeError for types that msgspec has not
    return shape


def _value_fields(control: Any) -> list[Any]:
    """The fields of the value struct of a control, its labels among them."""
    checks = _definer(control, "validate_value"), _definer(control, "_validate_value_labels")
    known = (
        {"ControlTag", "LabelsTag", "VideoRectangleTag", "RankerTag"},
        {"ControlTag", "TaxonomyTag", "RatingTag"},
    )
    if checks[0] not in known[0] or checks[1] not in known[1]:
        raise Unknown
    fields = _fields(control._value_class)  # noqa: SLF001 - there is no public way
    attribute = getattr(control, "_label_attr_name", None)
    if attribute is None or checks[0] == "RankerTag":
        return fields
    (found,) = (field for field in fields if field[0] == attribute)
    kind: Any = found[1]
    if checks[1] == "RatingTag":
        kind = Annotated[int, msgspec.Meta(ge=0, le=int(control.attr.get("maxRating", 5)))]
    elif control.labels:
        depth = 2 if checks[1] == "TaxonomyTag" else 1
        kind = _with_labels(kind, Literal[tuple(control.labels)], depth)
    optional = checks[0] == "VideoRectangleTag" and not control.labels
    labels = (attribute, kind, None) if optional else (attribute, kind)
    return [field for field in fields if field is not found] + [labels]


def _with_labels(kind: Any, label: Any, depth: int) -> Any:
    """The type of lists of labels (`depth` 1) or of paths of labels (2), with the labels in place of `str`."""
    texts, labels = (list[str], list[label]) if depth == 1 else (list[list[str]], list[list[label]])
    if kind == texts:
        return labels
    if kind == texts | None:
        return labels | None
    raise Unknown


def _definer(control: Any, method: str) -> str:
    """Name of the SDK's class that a method of a control comes from; a class of somebody else has none."""
    owner = next(kind for kind in type(control).__mro__ if method in vars(kind))
    return owner.__name__ if owner.__module__.startswith("label_studio_sdk.") else ""


def _fields(model: Any) -> list[Any]:
    """The fields of a pydantic model, as msgspec takes them to define a struct."""
    decorators = model.__pydantic_decorators__
    validators = dict(decorators.field_validators)
    rle = "rle" in model.model_fields and set(validators) == {"validate_rle"}
    if decorators.model_validators or decorators.root_validators or decorators.validators or model.model_config:
        raise Unknown
    if validators and not rle:
        raise Unknown
    fields: list[Any] = []
    for name, field in model.model_fields.items():
        if field.alias is not None or field.validation_alias is not None:
            raise Unknown
        kind = _constrained(_type(field.annotation), field.metadata)
        if rle and name == "rle":
            kind = Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=255)]], msgspec.Meta(min_length=1)]
        fields.append((name, kind) if field.is_required() else (name, kind, None))
    return fields


def _type(annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in (str, int, float, bool, Any, type(None)):
        return annotation
    if origin is Annotated:
        return _constrained(_type(arguments[0]), arguments[1:])
    if origin in (Union, types.UnionType):
        return Union[tuple(_type(argument) for argument in arguments)]  # noqa: UP007 - their number is not fixed
    if origin in (list, tuple, dict):
        return origin[tuple(_type(argument) for argument in arguments)]
    if hasattr(annotation, "model_fields"):
        return msgspec.defstruct(annotation.__name__, _fields(annotation), kw_only=True)
    raise Unknown


def _constrained(kind: Any, metadata: Iterable[Any]) -> Any:
    if metadata and type(None) in get_args(kind):  # the limits are for what is not None
        kinds = [argument for argument in get_args(kind) if argument is not type(None)]
        return Union[tuple(_constrained(one, metadata) for one in kinds)] | None  # noqa: UP007
    limits: dict[str, Any] = {}
    for item in metadata:
        if item is None:
            continue
        if not {field.name for field in dataclasses.fields(item)} <= set(_LIMITS):
            raise Unknown
        limits |= {name: limit for name in _LIMITS if (limit := getattr(item, name, None)) is not None}
    if limits.get("le") in _PERCENT_LIMITS:
        limits["ge"] = -SLACK
    return Annotated[kind, msgspec.Meta(**limits)] if limits else kind
