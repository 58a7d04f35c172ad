"""How the states of a worker follow each other is written down in one table, and held."""

from __future__ import annotations

import itertools

import pytest

from label_studio_ml.predict.states import SERVING, TRANSITIONS, IllegalTransition, WorkerState, transition

STEPS = """
    starting -> loading broken retiring lost
    loading  -> ready broken retiring lost
    ready    -> reserved alone stuck retiring lost
    reserved -> ready alone stuck retiring lost
    alone    -> ready stuck retiring lost
    broken   -> retiring lost
    retiring -> stuck lost
    stuck    -> lost
    lost     ->
"""
ALLOWED = {
    (WorkerState(before.strip()), WorkerState(after))
    for before, _, followers in (line.partition("->") for line in STEPS.strip().splitlines())
    for after in followers.split()
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(WorkerState, repeat=2)))
def test_only_the_steps_in_the_table_are_taken(before: WorkerState, after: WorkerState) -> None:
    if (before, after) in ALLOWED:
        assert transition(before, after) is after
    else:
        with pytest.raises(IllegalTransition, match=f"is {before.value} cannot become {after.value}"):
            transition(before, after)


def test_every_state_can_be_reached_and_ends() -> None:
    reached = {WorkerState.STARTING}
    for _ in WorkerState:
        reached |= {after for before in reached for after in TRANSITIONS[before]}
    assert reached == set(WorkerState)
    assert all(WorkerState.LOST in TRANSITIONS[state] for state in WorkerState if state is not WorkerState.LOST)
    assert {state for state in WorkerState if WorkerState.STUCK in TRANSITIONS[state]} > SERVING
