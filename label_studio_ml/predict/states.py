"""The states of a predict worker, and how one follows another."""

from __future__ import annotations

import enum


class WorkerState(enum.Enum):
    """What a worker is at, as the pool sees it."""

    STARTING = "starting"
    """Its process imports the author's code."""
    LOADING = "loading"
    """Constructs what is to be there from the start."""
    READY = "ready"
    """May be given calls."""
    RESERVED = "reserved"
    """Is given nothing until it has nothing to do: a call that has to be alone comes next."""
    ALONE = "alone"
    """Has a call that must not get company."""
    BROKEN = "broken"
    """The author's code or class cannot be loaded."""
    STUCK = "stuck"
    """Is ended, because a call took too long."""
    RETIRING = "retiring"
    """Finishes what it has, and is ended."""
    LOST = "lost"
    """Its process has ended, or does not speak to us any more."""


_S = WorkerState
_ENDS = {_S.RETIRING, _S.LOST}

TRANSITIONS: dict[WorkerState, set[WorkerState]] = {
    _S.STARTING: {_S.LOADING, _S.BROKEN, *_ENDS},
    _S.LOADING: {_S.READY, _S.BROKEN, *_ENDS},
    _S.READY: {_S.RESERVED, _S.ALONE, _S.STUCK, *_ENDS},
    _S.RESERVED: {_S.READY, _S.ALONE, _S.STUCK, *_ENDS},
    _S.ALONE: {_S.READY, _S.STUCK, *_ENDS},
    _S.BROKEN: _ENDS,
    _S.RETIRING: {_S.STUCK, _S.LOST},
    _S.STUCK: {_S.LOST},
    _S.LOST: set(),
}
"""From each state, those that may follow."""

SERVING = frozenset({_S.READY, _S.RESERVED, _S.ALONE})
"""States of workers that answer."""


class IllegalTransition(RuntimeError):
    """A worker was to go into a state that cannot follow the one it is in."""


def transition(before: WorkerState, after: WorkerState) -> WorkerState:
    """The state after a step; raises IllegalTransition when there is no such step."""
    if after not in TRANSITIONS[before]:
        raise IllegalTransition(f"A worker that is {before.value} cannot become {after.value}.")
    return after
