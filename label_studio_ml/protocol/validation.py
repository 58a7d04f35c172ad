"""Does a prediction fit the labeling config? Runs in workers, over an interface object that is given. Pure.

One invalid region makes Label Studio throw a whole batch away without a word, so its own check
(`LabelInterface.validate_prediction` of `label-studio-sdk`) comes before the reply, and what it overlooks.
Regions of common tags are recognised by `rules`, hundreds of times faster; for the rest the SDK is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from ..errors import InvalidPrediction
from . import faults, responses, rules, words


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
        self._diagnosis = faults.Diagnosis(controls)
        self._split = {control.name for control in controls if rules.may_be_split(control)}
        if not any(control.tag.lower() in rules.GEOMETRY for control in controls):
            self._split.clear()

    def check(self, predictions: list[dict[str, Any]]) -> None:
        """Check the predictions of one task, which are JSON (see `responses.as_json`).

        Raises:
            InvalidPrediction: Label Studio would refuse one of them, or not show it; the message says which
                region, what it has, what the config allows, and what is nearest.
        """
        for prediction in predictions:
            try:
                self._check(prediction)
            except InvalidPrediction:
                raise
            except Exception as error:
                raise InvalidPrediction(
                    f"the prediction does not fit the labeling config: {words.shorten(str(error), 300)}.", "value"
                ) from error

    def _check(self, prediction: dict[str, Any]) -> None:
        _check_score(prediction)
        result = prediction.get("result")
        if isinstance(result, tuple):
            result = list(result)
        if not isinstance(result, list):
            raise InvalidPrediction(f"`result` must be a list of regions, not {words.shown(result)}.", "shape")
        partners = self._partners(result)
        found: list[InvalidPrediction] = []
        relations, ids = [], set()
        for index, region in enumerate(result):
            if isinstance(region, dict):
                if region.get("type") == "relation":
                    relations.append((index, region))
                    continue
                if "id" in region:
                    ids.add(region["id"])
                if self._fits(region, partners):
                    continue
            fault = self._fault(region, f"result[{index}]", result, partners)
            if fault is not None:
                found.append(fault)
        for index, relation in relations:
            fault = faults.fault_of_relation(relation, f"result[{index}]", ids)
            if fault is not None:
                found.append(fault)
        if found:
            raise _first_of(found)

    def _fits(self, region: dict[str, Any], partners: dict[Any, str]) -> bool:
        name = region.get("from_name")
        rule = self._rules.get(name) if isinstance(name, str) else None
        return rule is not None and rule.fits(region, self._partner(region, partners))

    def _partners(self, result: list[Any]) -> dict[Any, str]:
        """By id, the type of the first region that a `<Labels>` region may go with."""
        partners: dict[Any, str] = {}
        for region in result if self._split else ():
            if isinstance(region, dict) and isinstance(region.get("type"), str):
                kind = region["type"].lower()
                if kind in rules.GEOMETRY:
                    partners.setdefault(region.get("id"), kind)
        return partners

    def _partner(self, region: dict[str, Any], partners: dict[Any, str]) -> str | None:
        if not partners or region["from_name"] not in self._split or region.get("id") is None:
            return None
        return partners.get(region["id"])

    def _fault(
        self, region: Any, place: str, result: list[Any], partners: dict[Any, str]
    ) -> InvalidPrediction | None:
        """Ask the SDK, and find words for what it says; then look for what it overlooks."""
        partner = None
        company = [region]
        if isinstance(region, dict) and isinstance(region.get("from_name"), str):
            partner = self._partner(region, partners)
            if partner is not None:
                company = [other for other in result if _goes_with(other, region)]
        asked = {"result": _as_lists(company)}
        refusals = self.interface.validate_prediction(asked, return_errors=True)
        refusal = str(refusals[0]) if refusals else None
        return self._diagnosis.of(_as_lists(region), place, refusal, partner)


def _check_score(prediction: dict[str, Any]) -> None:
    responses.check_score([prediction])
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


def _goes_with(other: Any, region: dict[str, Any]) -> bool:
    return isinstance(other, dict) and other.get("id") == region["id"] and other.get("type") != "relation"


def _as_lists(value: Any) -> Any:
    """The value as JSON would give it back, with lists for tuples, which the SDK refuses in some places."""
    if isinstance(value, dict):
        return {key: _as_lists(item) for key, item in value.items()}
    return [_as_lists(item) for item in value] if isinstance(value, list | tuple) else value
