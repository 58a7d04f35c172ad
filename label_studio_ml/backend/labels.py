"""Which labels the model has, and which the labeling config: told in the log when an instance is loaded.

Authors need do nothing for it: `build_label_map` notes what it was asked. Runs in workers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import msgspec

from ..protocol.words import listed, nearest


class LabelUse(msgspec.Struct):
    """For one control: the config's labels, the model's, and which of the model's become which of the config's."""

    allowed: tuple[str, ...]
    names: dict[str, None] = {}
    mapped: dict[str, str] = {}

    def note(self, names: list[str], mapped: dict[str, str]) -> None:
        """Add what a call of `build_label_map` was asked and what it answered."""
        self.names |= dict.fromkeys(names)
        self.mapped |= mapped


def remarks(control: str, use: LabelUse) -> Iterator[tuple[int, str]]:
    """What to log about the labels of a control, each with its level."""
    if not use.allowed or not use.names:
        return
    left_out = [name for name in use.names if name not in use.mapped]
    never = [label for label in use.allowed if label not in use.mapped.values()]
    if not use.mapped:
        text = (
            "the labeling config takes none of the model's labels, so nothing will appear; the model has "
            f"{listed(left_out)}, the config has {listed(never)}"
        )
        yield logging.WARNING, f"Control `{control}`: {text}{_advice(never, left_out)}."
        return
    if left_out:
        text = f"no label of the labeling config takes {listed(left_out)} of the model"
        yield logging.INFO, f"Control `{control}`: {text}."
    if never:
        text = f"the model cannot produce {listed(never)} of the labeling config"
        yield logging.WARNING, f"Control `{control}`: {text}{_advice(never, left_out)}."


def _advice(never: list[str], left_out: list[str]) -> str:
    """How to join a label of the config and one of the model that are much alike."""
    for label in never[:10]:
        like = nearest(label, left_out)
        if like is not None:
            return f'; if `{label}` is the model\'s `{like}`, give that label predicted_values="{like}"'
    return ""
