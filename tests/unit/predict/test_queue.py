"""Who goes next: clicks, then quarantine, then projects and their requests in turn."""

from __future__ import annotations

import pytest

from label_studio_ml.predict.queue import Queues
from tests.support.requests_alone import NotingRequester, names

ask = NotingRequester().request


def queued(*requests: tuple[str, str], size: int = 2) -> Queues:
    """Queues with requests, each of a project and for tasks of one letter."""
    queues = Queues(size)
    for project, tasks in requests:
        queues.add(ask(*tasks, project=project))
    return queues


def all_batches(queues: Queues, *, merge: bool = True) -> list[list[list[str]]]:
    found = []
    while queues.has_batch:
        found.append(names(queues.take_batch(merge=merge)))
    return found


def test_an_empty_queue_has_nothing() -> None:
    queues = Queues(2)
    assert not queues
    assert (queues.has_interactive, queues.has_quarantined, queues.has_batch, queues.has_full_batch) == (False,) * 4
    assert (queues.requests, queues.all_tasks) == (0, 0)


def test_projects_take_turns_and_large_requests_go_to_the_end_of_the_line() -> None:
    queues = queued(("1", "abc"), ("1", "d"), ("2", "xy"))
    assert all_batches(queues) == [[["a", "b"]], [["x", "y"]], [["d"], ["c"]]]


def test_requests_that_fit_share_a_call_and_others_keep_their_place() -> None:
    queues = queued(("1", "a"), ("1", "bcd"), ("1", "e"), size=3)
    assert all_batches(queues) == [[["a"], ["e"]], [["b", "c", "d"]]]


def test_requests_that_may_not_be_merged_go_one_by_one() -> None:
    assert all_batches(queued(("1", "a"), ("1", "b")), merge=False) == [[["a"]], [["b"]]]


def test_requests_with_other_params_do_not_share_a_call() -> None:
    queues = Queues(9)
    for params in (b"{}", b'{"x":1}', b"{}"):
        queues.add(ask("a", params=params))
    assert [len(batch) for batch in all_batches(queues)] == [2, 1]


def test_a_batch_is_full_when_the_next_request_alone_fills_it() -> None:
    assert not queued(("1", "a"), ("1", "b")).has_full_batch
    assert queued(("1", "ab"), ("1", "c")).has_full_batch


def test_what_waits_is_counted() -> None:
    queues = queued(("1", "abc"), ("2", "d"))
    queues.add(ask("x", "y", "z", interactive=True))
    assert (queues.tasks, queues.interactive_tasks, queues.requests, queues.all_tasks) == (4, 3, 2, 7)
    click = queues.take_interactive()
    pieces = queues.take_batch(merge=True)
    assert (queues.tasks, queues.interactive_tasks, queues.all_tasks) == (2, 1, 3)
    queues.quarantine([*click, *pieces])
    assert queues.all_tasks == 7
    assert names(queues.take_interactive()) == [["z"]]
    assert not queues.has_interactive


def test_what_comes_into_quarantine_last_is_tried_first_and_in_order() -> None:
    queues = Queues(9)
    first, second, third = (ask(letter).take(1) for letter in "abc")
    queues.quarantine([first])
    queues.quarantine([second, third])
    taken = [queues.take_quarantined()[0] for _ in range(3)]
    assert taken == [second, third, first]
    assert not queues


@pytest.mark.parametrize("interactive", [False, True])
def test_a_request_that_is_removed_leaves_nothing_behind(interactive: bool) -> None:
    queues = Queues(1)
    removed, kept = ask(*"abc", interactive=interactive), ask("d", interactive=interactive)
    queues.add(removed)
    queues.add(kept)
    queues.quarantine(queues.take_interactive() if interactive else queues.take_batch(merge=True))
    queues.remove(removed)
    assert (removed.queued, queues.has_quarantined, queues.all_tasks) == (0, False, 1)
    taken = queues.take_interactive() if interactive else queues.take_batch(merge=True)
    assert names(taken) == [["d"]]
    queues.remove(kept)
    assert not queues
