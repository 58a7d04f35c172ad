"""What may be over in a moment is tried again, with growing pauses; everything else is raised at once."""

from __future__ import annotations

import time

import pytest

from label_studio_ml.label_studio import retries


class Work:
    """Fails as often as asked to."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error = failures, error
        self.begun: list[float] = []

    def __call__(self) -> str:
        self.begun.append(time.monotonic())
        if len(self.begun) <= self.failures:
            raise self.error
        return "done"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "PAUSE", 0.02)


def run(work: Work, count: int) -> str | None:
    for attempt in retries.attempts(count, on=OSError):
        with attempt:
            return work()
    return None


def test_each_pause_is_twice_as_long_as_the_one_before() -> None:
    work = Work(3, OSError("down"))
    assert run(work, 4) == "done"
    pauses = [later - earlier for earlier, later in zip(work.begun, work.begun[1:], strict=False)]
    assert all(pause >= least for pause, least in zip(pauses, (0.02, 0.04, 0.08), strict=True))


def test_the_error_of_the_last_attempt_is_raised() -> None:
    work = Work(9, OSError("down"))
    with pytest.raises(OSError, match="down"):
        run(work, 3)
    assert len(work.begun) == 3


def test_another_error_is_raised_at_once() -> None:
    work = Work(9, ValueError("wrong"))
    with pytest.raises(ValueError, match="wrong"):
        run(work, 3)
    assert len(work.begun) == 1
