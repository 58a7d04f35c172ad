"""Does a prediction fit the labeling config? Pure functions over an interface object that is given.

One invalid region makes Label Studio throw a whole batch away without a word, so its own check
(`LabelInterface.validate_prediction` of `label-studio-sdk`) runs here first.
"""

from __future__ import annotations

from typing import Any, Protocol

from ..errors import PredictError


class Interface(Protocol):
    """The part of `label_studio_sdk.LabelInterface` that is needed."""

    def validate_prediction(self, prediction: dict[str, Any], return_errors: bool = False) -> Any:
        """Check one prediction; with `return_errors` the list of what is wrong."""


def check(interface: Interface | None, predictions: list[dict[str, Any]]) -> None:
    """Check the predictions of one task.

    Raises:
        PredictError: Label Studio would refuse one of them; the message says which region and why.
    """
    if interface is None:
        return
    for prediction in predictions:
        wrong = interface.validate_prediction(prediction, return_errors=True)
        if wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            raise PredictError(f"the prediction does not fit the labeling config: {wrong[0]}{more}")
