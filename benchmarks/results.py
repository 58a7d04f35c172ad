"""What a case measured, and what it is held against."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TypeVar

from .contenders import Contender, Server, serving
from .peers import Environment
from .processes import StartError

T = TypeVar("T")


@dataclass
class Figure:
    """One quantity of one contender, measured in several rounds."""

    contender: str
    what: str
    unit: str
    values: list[float]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest."""
        return min(self.values), max(self.values)


@dataclass
class Finding:
    """A sentence's worth of result: `value` in `unit`, and what was aimed at: `at_least` or `at_most`."""

    what: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def aim(self) -> str:
        """What was aimed at, as text."""
        if self.at_least is not None:
            return f"≥ {number(self.at_least)}{self.unit}"
        return f"≤ {number(self.at_most)}{self.unit}" if self.at_most is not None else ""

    @property
    def reached(self) -> bool | None:
        """Whether it was reached; None without an aim."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return self.value <= self.at_most if self.at_most is not None else None

    @property
    def text(self) -> str:
        """The value with its unit."""
        return f"{number(self.value)}{self.unit}"


@dataclass
class Result:
    """What one case found."""

    key: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, contender: str, what: str, unit: str, value: float) -> None:
        """Note one round's value."""
        for figure in self.figures:
            if (figure.contender, figure.what) == (contender, what):
                figure.values.append(value)
                return
        self.figures.append(Figure(contender, what, unit, [value]))

    def find(self, contender: str, what: str) -> Figure | None:
        """The figure, if that contender was measured."""
        return next((one for one in self.figures if (one.contender, one.what) == (contender, what)), None)

    def ratio(self, above: str, below: str, what: str) -> float | None:
        """The median of one contender's values over another's, round by round: what disturbs both cancels out."""
        over, under = self.find(above, what), self.find(below, what)
        if over is None or under is None:
            return None
        return statistics.median(a / b for a, b in zip(over.values, under.values, strict=True))


@dataclass
class Bench:
    """How much to measure, and who is told how far it is."""

    rounds: int
    seconds: float
    peers: bool
    say: Callable[[str], None]
    impossible: dict[str, str] = field(default_factory=dict)
    """Environments that could not be installed, with the reason."""

    def start(self, stack: ExitStack, contenders: Sequence[Contender], model: str, result: Result) -> list[Server]:
        """Install and start those that can be; the others get a note."""
        servers = []
        for contender in contenders:
            try:
                if contender.environment is not None:
                    self._install(contender.environment)
                self.say(f"starting {contender.name}")
                servers.append(stack.enter_context(serving(contender, model)))
            except StartError as error:
                result.notes.append(f"{contender.name} could not be measured: {error}")
        return servers

    def _install(self, environment: Environment) -> None:
        """Once; what failed is not tried again."""
        if environment.name in self.impossible:
            raise StartError(self.impossible[environment.name])
        if not environment.ready():
            self.say(f"installing {environment.package} into {environment.folder}, once")
        try:
            environment.install()
        except StartError as error:
            self.impossible[environment.name] = str(error)
            raise

    def in_turn(self, contenders: Sequence[T], name: Callable[[T], str], measure: Callable[[T], None]) -> None:
        """Measure them in turn, round after round, each round beginning with another one."""
        for done in range(self.rounds):
            for place in range(len(contenders)):
                contender = contenders[(place + done) % len(contenders)]
                self.say(f"round {done + 1} of {self.rounds}: {name(contender)}")
                measure(contender)


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if abs(value) >= 1000:
        return f"{round(value, -2) if abs(value) >= 100_000 else round(value):,.0f}".replace(",", " ")
    if value == int(value):
        return str(int(value))
    return f"{value:.3g}"
