"""Calls of Label Studio that are made again, with growing pauses, while it cannot be reached or is overloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import stamina

Passes: TypeAlias = type[Exception] | Callable[[Exception], bool]
"""The errors that may be over in a moment: their type, or what tells them from others."""

PAUSE = 1.0
"""Seconds before the second attempt; each further pause is twice as long."""
_LONGEST = 60.0


def attempts(count: int, on: Passes) -> Iterator[stamina.Attempt]:
    """At most `count` attempts, each for a `with` block that may fail; the error of the last one is raised.

    >>> for attempt in attempts(2, on=OSError):
    ...     with attempt:
    ...         print("done")
    done
    """
    return iter(
        stamina.retry_context(
            on, attempts=count, timeout=None, wait_initial=PAUSE, wait_max=_LONGEST, wait_jitter=0.0
        )
    )
