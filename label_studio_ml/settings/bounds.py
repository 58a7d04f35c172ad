"""What the value of a setting must satisfy, and the words for one that does not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol


class Bound(Protocol):
    """One condition."""

    def demand(self, value: Any) -> str:
        """What a wrong value must be, as in `at least 1, not 0`; empty for a right one."""


@dataclass(frozen=True)
class AtLeast:
    """A finite number with a lower end."""

    minimum: int

    def demand(self, value: float) -> str:  # noqa: D102
        if self.minimum <= value < math.inf:
            return ""
        return f"{f'at least {self.minimum}' if self.minimum else '0 or more'}, not {value}"


@dataclass(frozen=True)
class Between:
    """A number with two ends, both allowed."""

    minimum: int
    maximum: int

    def demand(self, value: float) -> str:  # noqa: D102
        right = self.minimum <= value <= self.maximum
        return "" if right else f"between {self.minimum} and {self.maximum}, not {value}"


class SomeTime:
    """A finite time longer than none."""

    def demand(self, value: float) -> str:  # noqa: D102
        return "" if 0 < value < math.inf else "more than 0 seconds, and not endless"


class OneOf:
    """One of some words, or, where that is said, none."""

    def __init__(self, *words: str, or_empty: bool = False) -> None:
        self._words, self._or_empty = words, or_empty

    def demand(self, value: str) -> str:  # noqa: D102
        if value in self._words or (not value and self._or_empty):
            return ""
        return f"{', '.join(self._words[:-1])} or {self._words[-1]}, not {value!r}"
