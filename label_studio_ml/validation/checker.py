"""Does a prediction fit the labeling config? Runs in workers, over an interface object that is given. Pure.

Label Studio silently drops a whole batch of predictions when one region in it is invalid. So every prediction goes
through its own check (`LabelInterface.validate_prediction` of `label-studio-sdk`) and through `extra_checks` first.
Regions of common tags are recognised by `rules`, in a fraction of the time; for the rest the SDK is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from ..errors import InvalidPrediction
from ..wire import results
from . import explanations, rules, wording


class Interface(Protocol):
    """The part of `label_studio_sdk.LabelInterface` that is needed."""

    @property
    def controls(self) -> Iterable[Any]:
        """The control tags."""

    @property
    def objects(self) -> Iterable[Any]:
        """The object tags."""

    def validate_prediction(self, prediction: dict[str, Any], return_errors: bool = False) -> Any:
        """Check one prediction; with `return_errors` the list of what is wrong."""


class Checker:
    """Checks predictions against one labeling config; its rules are compiled once.

    Args:
        interface: the config as the SDK sees it.
    """

    def __init__(self, interface: Interface) -> None:
        self.interface = interface
        controls = list(interface.controls or ())
        self._rules = rules.compile_rules(controls, (tag.name for tag in interface.objects or ()))
        self._explainer = explanations.Explainer(controls)
        self._split = {control.name for control in controls if rules.may_be_split(control)}
        if not any(control.tag.lower() in rules.GEOMETRY for control in controls):
            self._split.clear()
        self._alone = {name: rule for name, rule in self._rules.items() if name not in self._split}

    def check(self, predictions: list[dict[str, Any]]) -> None:
        """Check the predictions of one task, whose values are JSON already.

        Raises:
            InvalidPrediction: Label Studio would refuse one of them, or not show it; the message says which
                region, what it has, what the config allows, and what is nearest.
        """
        for prediction in predictions:
            try:
                if not self.certainly_fits(prediction):
                    self._check(prediction)
            except InvalidPrediction:
                raise
            except Exception as error:
                raise InvalidPrediction(
                    f"the prediction does not fit the labeling config: {wording.shorten(str(error), 300)}.", "value"
                ) from error

    def _check(self, prediction: dict[str, Any]) -> None:
        _check_score(prediction)
        result = prediction.get("result")
        if not isinstance(result, list | tuple):
            raise InvalidPrediction(f"`result` must be a list of regions, not {wording.shown(result)}.", "shape")
        regions: list[tuple[str, Any]] = []
        relations: list[tuple[str, Any]] = []
        for index, item in enumerate(result):
            related = isinstance(item, dict) and item.get("type") == "relation"
            (relations if related else regions).append((f"result[{index}]", item))
        partners = _Partners([region for _, region in regions] if self._split else [])
        found = [problem for place, region in regions if (problem := self._problem(region, place, partners))]
        if relations and not found:
            ids = {region["id"] for _, region in regions if "id" in region}
            found = [
                problem for place, item in relations if (problem := explanations.of_relation(item, place, ids))
            ]
        if found:
            raise _first_of(found)

    def certainly_fits(self, prediction: dict[str, Any]) -> bool:
        """Whether each region fits whatever the others are, and the score, too; quick, as nearly all do.

        The prediction may be anything that the author's code returned; False means that it must be looked at.
        """
        score, result = prediction.get("score"), prediction.get("result")
        if type(result) is not list or not (score is None or (type(score) is float and 0 <= score <= 1)):
            return False
        for region in result:
            name = region.get("from_name") if type(region) is dict else None
            rule = self._alone.get(name) if type(name) is str else None
            if rule is None or not rule.fits(region):
                return False
        return True

    def _problem(self, region: Any, place: str, partners: _Partners) -> InvalidPrediction | None:
        """What is wrong with a region; where the rules are not sure, the SDK is asked."""
        name = region.get("from_name") if isinstance(region, dict) else None
        name = name if isinstance(name, str) else ""
        partner = partners.partner(region) if name in self._split else None
        if name in self._rules and self._rules[name].fits(region, partner):
            return None
        asked = {"result": _as_lists([region] if partner is None else partners.of(region))}
        refusals = self.interface.validate_prediction(asked, return_errors=True)
        refusal = str(refusals[0]) if refusals else None
        return self._explainer.explain(_as_lists(region), place, refusal, partner)


class _Partners:
    """The regions of a prediction by id: a `<Labels>` region may go with one of `<Rectangle>` and the like."""

    def __init__(self, regions: list[Any]) -> None:
        self._regions = [region for region in regions if isinstance(region, dict)]
        self._kinds: dict[Any, str] = {}
        self._odd: list[tuple[Any, str]] = []  # ids that no dict takes; the SDK compares them all the same
        for region in self._regions:
            kind, identity = region.get("type"), region.get("id")
            if not isinstance(kind, str) or kind.lower() not in rules.GEOMETRY:
                continue
            if isinstance(identity, dict | list | tuple):
                self._odd.append((identity, kind.lower()))
            else:
                self._kinds.setdefault(identity, kind.lower())

    def partner(self, region: dict[str, Any]) -> str | None:
        """Type of the first geometry with the id of a region."""
        identity = region.get("id")
        if isinstance(identity, dict | list | tuple):
            return next((kind for other, kind in self._odd if other == identity), None)
        return None if identity is None else self._kinds.get(identity)

    def of(self, region: dict[str, Any]) -> list[dict[str, Any]]:
        """The regions with the id of a region, itself among them."""
        return [other for other in self._regions if other.get("id") == region["id"]]


def _check_score(prediction: dict[str, Any]) -> None:
    results.check_score([prediction])
    score = prediction.get("score")
    if score is not None and not 0 <= score <= 1:
        raise InvalidPrediction(f"`score` must be a number from 0 to 1, or None, not {score!r}.", "score")


def _first_of(found: list[InvalidPrediction]) -> InvalidPrediction:
    first = found[0]
    more = f" ({len(found) - 1} more do not fit)" if len(found) > 1 else ""
    return InvalidPrediction(
        f"the prediction does not fit the labeling config: {str(first).rstrip('.')}{more}.",
        first.reason,
        first.control,
    )


def _as_lists(value: Any) -> Any:
    """The value as JSON would give it back, with lists for tuples, which the SDK refuses in some places."""
    if isinstance(value, dict):
        return {key: _as_lists(item) for key, item in value.items()}
    return [_as_lists(item) for item in value] if isinstance(value, list | tuple) else value
