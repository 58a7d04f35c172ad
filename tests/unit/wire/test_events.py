"""Events as Label Studio sends them, brought into the form that the author's `fit()` asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from label_studio_ml.wire import events
from tests.support.paths import RECORDINGS


def recorded(number: str) -> tuple[str, dict[str, Any]]:
    (file,) = RECORDINGS.glob(f"{number}-*.json")
    body = json.loads(file.read_text())["body"]
    return body["action"], body


def annotation(number: int, task: int | None = None, **more: Any) -> dict[str, Any]:
    return {"id": number, "result": [], **({} if task is None else {"task": task}), **more}


def task_of(number: int) -> dict[str, Any]:
    return {"id": number, "data": {"text": f"task {number}"}}


def created(number: int, task: int, kind: str = "ANNOTATION_CREATED", **more: Any) -> tuple[str, dict[str, Any]]:
    return kind, {"annotation": annotation(number, task, **more), "task": task_of(task), "project": {"id": 1}}


def annotations_by_task(*happened: tuple[str, dict[str, Any]]) -> dict[Any, list[Any]]:
    return {
        task["id"]: [one["id"] for one in task["annotations"]] for task in events.annotated_tasks(list(happened))
    }


@pytest.mark.parametrize(
    ("action", "singular"),
    [
        ("ANNOTATION_CREATED", "ANNOTATION_CREATED"),
        ("ANNOTATIONS_CREATED", "ANNOTATION_CREATED"),
        ("ANNOTATIONS_DELETED", "ANNOTATION_DELETED"),
        ("TASKS_DELETED", "TASK_DELETED"),
        ("TASK_CREATED", "TASK_CREATED"),
        ("START_TRAINING", "START_TRAINING"),
        ("PROJECT_UPDATED", "PROJECT_UPDATED"),
        ("SOMETHING_NEW", "SOMETHING_NEW"),
        ("", ""),
    ],
)
def test_singular_and_plural_are_the_same_event(action: str, singular: str) -> None:
    assert events.canonical(action) == singular


@pytest.mark.parametrize(
    ("action", "train_events", "expected"),
    [
        ("ANNOTATION_CREATED", ["ANNOTATION_CREATED"], True),
        ("ANNOTATIONS_CREATED", ["ANNOTATION_CREATED"], True),
        ("ANNOTATION_DELETED", ["ANNOTATIONS_DELETED"], True),
        ("ANNOTATION_UPDATED", ["ANNOTATION_CREATED"], False),
        ("TASKS_CREATED", (), False),
        ("START_TRAINING", (), True),
    ],
)
def test_an_event_trains_when_the_author_names_it_in_either_spelling(
    action: str, train_events: list[str], expected: bool
) -> None:
    assert events.trains(action, train_events) is expected


@pytest.mark.parametrize(
    "train_events", [["ANNOTATIONS_DELETED"], ["ANNOTATION_DELETED", "ANNOTATIONS_DELETED"], []]
)
def test_an_event_in_the_authors_own_spelling_is_delivered_as_it_came(train_events: list[str]) -> None:
    action, data = recorded("09")
    assert events.deliveries(action, data, train_events) == [(action, data)]


def test_an_event_about_several_annotations_becomes_a_call_for_each_when_the_author_names_the_singular() -> None:
    data = {"annotations": [annotation(1), annotation(2)], "project": {"id": 1}}
    assert events.deliveries("ANNOTATIONS_DELETED", data, ["ANNOTATION_DELETED"]) == [
        ("ANNOTATION_DELETED", {**data, "annotation": annotation(1)}),
        ("ANNOTATION_DELETED", {**data, "annotation": annotation(2)}),
    ]


def test_an_event_about_one_annotation_is_delivered_in_the_plural_when_the_author_names_that() -> None:
    data = {"annotation": annotation(1), "project": {"id": 1}}
    assert events.deliveries("ANNOTATION_CREATED", data, ["ANNOTATIONS_CREATED"]) == [
        ("ANNOTATIONS_CREATED", {**data, "annotations": [annotation(1)]})
    ]


@pytest.mark.parametrize("annotations", [[], None, 3])
def test_a_bulk_event_without_annotations_is_still_delivered_once(annotations: Any) -> None:
    data = {"annotations": annotations}
    assert events.deliveries("ANNOTATIONS_CREATED", data, ["ANNOTATION_CREATED"]) == [("ANNOTATION_CREATED", data)]


def test_tasks_are_delivered_together() -> None:
    action, data = recorded("13")
    assert events.deliveries(action, data, ["TASK_CREATED"]) == [("TASK_CREATED", data)]


def test_start_training_is_delivered_as_it_came() -> None:
    action, data = recorded("10")
    assert events.deliveries(action, data, ["ANNOTATION_CREATED"]) == [(action, data)]


def test_recorded_events_add_up_to_the_annotated_tasks() -> None:
    made, changed, skipped, deleted = (recorded(number) for number in ("06", "07", "08", "09"))
    first, second = events.annotated_tasks([made, changed, skipped])
    assert first["annotations"] == [changed[1]["annotation"]]
    assert first["data"] == changed[1]["task"]["data"]
    assert second["annotations"] == [skipped[1]["annotation"]]
    assert [task["id"] for task in events.annotated_tasks([made, changed, skipped, deleted])] == [first["id"]]


def test_tasks_have_the_form_of_label_studios_export() -> None:
    (task,) = events.annotated_tasks([created(5, 2)])
    assert task == {"id": 2, "data": {"text": "task 2"}, "annotations": [annotation(5, 2)]}


def test_an_update_replaces_and_brings_the_newest_task() -> None:
    update = created(5, 2, "ANNOTATION_UPDATED", lead_time=3)
    update[1]["task"]["data"] = {"text": "changed"}
    (task,) = events.annotated_tasks([created(5, 2), update])
    assert task["data"] == {"text": "changed"}
    assert task["annotations"] == [annotation(5, 2, lead_time=3)]


def test_bulk_events_count_like_single_ones() -> None:
    tasks = ("TASKS_CREATED", {"tasks": [task_of(1), task_of(2), task_of(3)]})
    bulk = ("ANNOTATIONS_CREATED", {"annotations": [annotation(8, 1), annotation(9, 2)]})
    assert annotations_by_task(tasks, bulk) == {1: [8], 2: [9]}
    assert annotations_by_task(tasks, bulk, ("ANNOTATIONS_DELETED", {"annotations": [{"id": 8}]})) == {2: [9]}


def test_deleted_tasks_take_their_annotations_with_them() -> None:
    deleted = ("TASKS_DELETED", {"tasks": [{"id": 1}]})
    assert annotations_by_task(created(5, 1), created(6, 2), deleted) == {2: [6]}
    assert annotations_by_task(created(5, 1), deleted, created(7, 1)) == {1: [7]}


def test_the_body_of_train_brings_the_whole_set_and_later_events_go_on_from_it() -> None:
    whole = {"annotations": [{**task_of(1), "annotations": [annotation(5), annotation(6)]}, task_of(2)]}
    train = ("START_TRAINING", whole)
    assert annotations_by_task(created(1, 9), train) == {1: [5, 6]}
    assert annotations_by_task(train, created(5, 1, "ANNOTATION_UPDATED")) == {1: [5, 6]}
    assert annotations_by_task(train, ("ANNOTATIONS_DELETED", {"annotations": [{"id": 6}]})) == {1: [5]}
    assert annotations_by_task(train, created(7, 2)) == {1: [5, 6], 2: [7]}


def test_the_body_of_train_may_call_annotations_completions_and_leave_out_ids() -> None:
    tasks = [{"data": {}, "completions": [{"result": []}, {"result": []}]}, {"data": {}, "annotations": [{}]}]
    found = list(events.annotated_tasks([("START_TRAINING", {"annotations": tasks})]))
    assert [len(task["annotations"]) for task in found] == [2, 1]


def test_start_training_without_tasks_changes_nothing() -> None:
    assert annotations_by_task(created(5, 1), recorded("10")) == {1: [5]}


def test_an_annotation_that_moves_to_another_task_is_there_alone() -> None:
    assert annotations_by_task(created(5, 1), created(5, 2, "ANNOTATION_UPDATED")) == {2: [5]}


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"annotation": None},
        {"annotation": 3, "annotations": 3, "tasks": 3, "task": 3},
        {"annotation": {"id": [1], "task": {}}, "task": {"id": {}}},
        {"annotations": [None, 3, [], {}], "tasks": [None, 3, [], {}, {"id": []}]},
    ],
)
@pytest.mark.parametrize(
    "action", ["ANNOTATION_CREATED", "ANNOTATIONS_DELETED", "TASKS_DELETED", "TASKS_CREATED", "START_TRAINING"]
)
def test_a_strange_event_does_not_keep_the_others_from_training(action: str, data: dict[str, Any]) -> None:
    assert annotations_by_task(created(5, 1), (action, data)) == {1: [5]}


ids, task_ids = some.integers(1, 6), some.integers(1, 3)
steps = some.one_of(
    some.tuples(some.just("put"), some.sampled_from(["CREATED", "UPDATED"]), ids, task_ids),
    some.tuples(some.just("drop"), some.booleans(), some.lists(ids, min_size=1, max_size=3)),
    some.tuples(some.just("drop tasks"), some.lists(task_ids, min_size=1, max_size=2)),
    some.tuples(some.just("other"), some.sampled_from(["PROJECT_UPDATED", "START_TRAINING", "REVIEW_CREATED"])),
)


@given(some.lists(steps, max_size=30))
def test_any_sequence_of_events_gives_what_a_plain_dict_would(sequence: list[Any]) -> None:
    happened: list[tuple[str, dict[str, Any]]] = []
    model: dict[int, tuple[int, int]] = {}  # annotation -> its task, and the step that last wrote it
    for step, (what, *how) in enumerate(sequence):
        if what == "put":
            kind, number, task = how
            happened.append(created(number, task, f"ANNOTATION_{kind}", step=step))
            model[number] = (task, step)
        elif what == "drop":
            single, numbers = how
            numbers = numbers[:1] if single else numbers
            data = {"annotation": {"id": numbers[0]}} if single else {"annotations": [{"id": n} for n in numbers]}
            happened.append(("ANNOTATION_DELETED" if single else "ANNOTATIONS_DELETED", data))
            model = {number: value for number, value in model.items() if number not in numbers}
        elif what == "drop tasks":
            happened.append(("TASKS_DELETED", {"tasks": [{"id": n} for n in how[0]]}))
            model = {number: value for number, value in model.items() if value[0] not in how[0]}
        else:
            happened.append((how[0], {"project": {"id": 1}}))
    found = list(events.annotated_tasks(happened))
    assert len({task["id"] for task in found}) == len(found)
    assert all(task["annotations"] and task["data"] == task_of(task["id"])["data"] for task in found)
    assert model == {one["id"]: (task["id"], one["step"]) for task in found for one in task["annotations"]}


@pytest.mark.parametrize(
    "odd", [None, True, 1.5, [], {}, "", "\0", "x" * 201, 10**300], ids=lambda odd: repr(odd)[:9]
)
def test_what_is_no_id_touches_nothing(odd: Any) -> None:
    assert events.touched("ANNOTATION_CREATED", {"annotation": {"id": odd, "task": 7}}) == []
    assert events.touched("TASKS_DELETED", {"tasks": [{"id": odd}, {}]}) == []
    assert events.touched("ANNOTATION_CREATED", {"annotation": {"id": 1, "task": odd}}) == [events.Touched("1", "")]
