"""Labels of the model and of the labeling config: which stand for which, and which have no counterpart.

The latter is told in the log when an instance is loaded. Authors need do nothing for it: `build_label_map` notes
what it was asked. Runs in workers.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from ..validation.wording import listed, nearest

if TYPE_CHECKING:
    from label_studio_sdk.label_interface.label_tags import LabelTag

_log = logging.getLogger(__name__)


class LabelUse(msgspec.Struct):
    """What `build_label_map` was asked about one control, and what it answered."""

    allowed: tuple[str, ...]
    """The config's labels."""
    names: dict[str, None] = {}
    """The model's labels, each once, in the order in which they were asked about."""
    mapped: dict[str, str] = {}
    """Which of the model's labels become which of the config's."""

    def note(self, names: list[str], mapped: dict[str, str]) -> None:
        """Add what a call of `build_label_map` was asked and what it answered."""
        self.names |= dict.fromkeys(names)
        self.mapped |= mapped


def label_map(attributes: Mapping[str, LabelTag], names: list[str]) -> dict[str, str]:
    """Which label of a control each of the model's labels stands for; those without a counterpart are left out.

    Args:
        attributes: the control's labels, each with its tag in the labeling config.
        names: the model's labels.
    """
    exact = {label: label for label in attributes}
    folded = {label.casefold(): label for label in reversed(list(attributes))}
    predicted = {
        value.strip(): label
        for label, tag in attributes.items()
        for value in tag.attr.get("predicted_values", "").split(",")
        if value.strip()
    }
    found = {name: predicted.get(name) or exact.get(name) or folded.get(name.casefold()) for name in names}
    return {name: label for name, label in found.items() if label is not None}


class Remarks:
    """Logs once, for each version and labeling config, what there is to say about labels."""

    def __init__(self) -> None:
        self._told: set[tuple[str, int, str, tuple[str, ...]]] = set()
        self._lock = threading.Lock()

    def tell(self, project_id: str, version: int, uses: Mapping[str, LabelUse]) -> None:
        """Log which labels the model has and the config has not, and the other way round.

        Args:
            project_id: the project.
            version: number of the version.
            uses: by control.
        """
        for control, use in list(uses.items()):
            key = (project_id, version, control, use.allowed)
            with self._lock:
                if key in self._told:
                    continue
                self._told.add(key)
            for level, remark in remarks(control, use):
                _log.log(level, "Project %s: %s", project_id or "(none)", remark)


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
