"""When a training starts, and with which events."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import Connection

from label_studio_ml import settings
from label_studio_ml.processes.messages import Description
from label_studio_ml.store import counts, events, jobs, projects, tables, transitions
from label_studio_ml.store.database import Database
from label_studio_ml.store.jobs import Job
from label_studio_ml.train import policy
from label_studio_ml.train.intake import Arrival, store
from label_studio_ml.train.policy import Rules
from label_studio_ml.wire import events as protocol

pytestmark = pytest.mark.every_database

CREATED, UPDATED, DELETED = "ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED"
ALL_KINDS = [CREATED, UPDATED, DELETED]
AT_ONCE = Rules(debounce=0.0)


def describe(generation: int, **changes: Any) -> Description:
    facts: dict[str, Any] = {"train_events": [CREATED], "learns": True, "concurrent": False, **changes}
    return Description(model_class="M", generation=generation, **facts)


@pytest.fixture(autouse=True)
def _projects(database: Database) -> None:
    database.write(lambda connection: [projects.save(connection, "1"), projects.save(connection, "2")])


def happen(
    database: Database,
    description: Description,
    action: str = CREATED,
    project_id: str = "1",
    rules: Rules = AT_ONCE,
    **data: Any,
) -> str | None:
    """An event comes in, as a webhook brings it; the job it ended up in."""

    arrival = Arrival(
        project_id=project_id,
        action=action,
        payload=json.dumps(data).encode(),
        touched=protocol.touched(action, data),
    )
    return database.write(store, [arrival], description, lambda _: rules)[0]


def annotated(
    database: Database,
    number: int,
    rules: Rules,
    *,
    action: str = CREATED,
    generation: int = 1,
    skipped: bool = False,
    task: int = 1,
) -> str | None:
    """Something happens to an annotation; the job that led to."""
    annotation = {"id": number, "task": task, "was_cancelled": skipped}
    description = describe(generation, train_events=ALL_KINDS)
    return happen(database, description, action, rules=rules, annotation=annotation)


def brought(database: Database, job_id: str | None) -> list[int]:
    return [event.id for event in database.read(events.of_job, job_id or "")]


def pending(database: Database, project_id: str = "1") -> list[int]:
    return list(database.read(events.pending, project_id))


def get(database: Database, job_id: str | None) -> Job:
    job = database.read(jobs.get, job_id or "")
    assert job is not None
    return job


def claim(database: Database) -> str:
    job = database.write(transitions.claim, "me", 30)
    assert job is not None
    return job.id


def finish(database: Database, job_id: str | None) -> bool:
    return database.write(transitions.finish, job_id or "", "me", None)


# --- every event, or all together -------------------------------------------------------------------------


def test_generation_2_gets_a_job_for_every_event_in_order(database: Database) -> None:
    made = [happen(database, describe(2)) for _ in range(3)]
    assert len(set(made)) == 3
    assert [brought(database, job_id) for job_id in made] == [[1], [2], [3]]
    for job_id in made:
        assert claim(database) == job_id
        assert finish(database, job_id)


def test_generation_1_lets_events_join_the_job_that_waits(database: Database) -> None:
    first = happen(database, describe(1))
    assert happen(database, describe(1)) == first
    assert happen(database, describe(1), "START_TRAINING") == first
    assert brought(database, first) == [1, 2, 3]


def test_generation_1_has_at_most_one_job_that_runs_and_one_that_waits(database: Database) -> None:
    running = happen(database, describe(1))
    assert claim(database) == running
    waiting = happen(database, describe(1))
    assert waiting != running
    assert {happen(database, describe(1)) for _ in range(5)} == {waiting}
    assert brought(database, running) == [1]
    assert len(database.read(jobs.recent)) == 2


def test_projects_do_not_share_jobs(database: Database) -> None:
    assert happen(database, describe(1)) != happen(database, describe(1), project_id="2")


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize(
    ("action", "changes", "project_id"),
    [
        ("PROJECT_UPDATED", {}, "1"),
        ("ANNOTATION_UPDATED", {}, "1"),
        ("ANNOTATION_CREATED", {"learns": False}, "1"),
        ("START_TRAINING", {"learns": False}, "1"),
        ("ANNOTATION_CREATED", {}, ""),
    ],
)
def test_an_event_that_trains_nothing_is_settled(
    database: Database, generation: int, action: str, changes: dict[str, Any], project_id: str
) -> None:
    assert happen(database, describe(generation, **changes), action, project_id) is None
    assert pending(database, project_id) == []
    assert database.read(events.projects_pending) == []
    assert database.read(jobs.recent) == []


@pytest.mark.parametrize("generation", [1, 2])
def test_the_button_and_the_other_spelling_train(database: Database, generation: int) -> None:
    assert happen(database, describe(generation), "START_TRAINING")
    assert happen(database, describe(generation), "ANNOTATIONS_CREATED")


@pytest.mark.parametrize("generation", [1, 2])
def test_events_that_came_before_the_class_was_known_are_all_taken_up_in_order(
    database: Database, generation: int
) -> None:
    def change(connection: Connection) -> dict[int, str]:
        for action in (CREATED, "PROJECT_UPDATED", CREATED):
            events.add(connection, "1", action, b"{}")
        return policy.take_up(connection, "1", describe(generation), AT_ONCE)

    taken = database.write(change)
    assert sorted(taken) == [1, 3]
    assert brought(database, taken[3]) == ([1, 3] if generation == 1 else [3])
    assert pending(database) == []
    assert database.write(policy.take_up, "1", describe(generation), AT_ONCE) == {}


# --- whose word counts -------------------------------------------------------------------------------------

ATTRIBUTES: dict[str, Any] = {
    "train_on": "start",
    "train_every": 5,
    "train_min_annotations": 6,
    "train_debounce": 7.0,
}
OPTIONS: dict[str, Any] = {
    "train_on": "events",
    "train_every": 50,
    "train_min_annotations": 60,
    "train_debounce": 70.0,
}


def test_without_options_and_attributes_every_event_trains_after_two_quiet_seconds() -> None:
    assert policy.rules(settings.load({}), describe(1)) == Rules("events", 1, 0, 2.0)


def test_attributes_of_the_class_go_before_the_defaults() -> None:
    assert policy.rules(settings.load({}), describe(1, **ATTRIBUTES)) == Rules("start", 5, 6, 7.0)


def test_options_go_before_attributes_of_the_class() -> None:
    assert policy.rules(settings.load({}, **OPTIONS), describe(1, **ATTRIBUTES)) == Rules("events", 50, 60, 70.0)


@pytest.mark.parametrize("name", OPTIONS)
def test_each_rule_is_settled_for_itself(name: str) -> None:
    both = policy.rules(settings.load({}, **{name: OPTIONS[name]}), describe(1, **ATTRIBUTES))
    expected = {**ATTRIBUTES, name: OPTIONS[name]}
    assert both == Rules(**{key.removeprefix("train_"): value for key, value in expected.items()})


def test_a_quiet_time_of_zero_is_a_word_that_counts() -> None:
    assert policy.rules(settings.load({}, train_debounce="0"), describe(1, **ATTRIBUTES)).debounce == 0.0
    assert policy.rules(settings.load({}), describe(1, train_debounce=0.0)).debounce == 0.0


# --- only on the button, or never --------------------------------------------------------------------------


@pytest.mark.parametrize("generation", [1, 2])
def test_only_start_training_trains_when_that_is_wanted_and_no_event_is_lost(
    database: Database, generation: int
) -> None:
    rules = Rules(on="start", debounce=0.0)
    for number in range(3):
        assert annotated(database, number, rules, generation=generation) is None
    assert database.read(jobs.recent) == []
    assert pending(database) == [1, 2, 3]
    newest = happen(database, describe(generation, train_events=ALL_KINDS), "START_TRAINING", rules=rules)
    assert pending(database) == []
    made = database.read(jobs.recent)[::-1]
    in_order = [brought(database, job.id) for job in made]
    assert in_order == ([[1, 2, 3, 4]] if generation == 1 else [[1], [2], [3], [4]])
    assert made[-1].id == newest


@pytest.mark.parametrize("generation", [1, 2])
def test_never_means_never_and_nothing_piles_up(database: Database, generation: int) -> None:
    rules = Rules(on="never")
    assert annotated(database, 1, rules, generation=generation) is None
    assert happen(database, describe(generation), "START_TRAINING", rules=rules) is None
    assert pending(database) == []
    assert database.read(jobs.recent) == []


# --- every N new annotations, not before there are N -------------------------------------------------------


def test_every_n_new_annotations_make_one_training(database: Database) -> None:
    rules = Rules(every=3, debounce=0.0)
    made = []
    for number in range(9):
        job_id = annotated(database, number, rules)
        made.append(job_id is not None)
        if job_id is not None:
            assert claim(database) == job_id
            assert finish(database, job_id)
    assert made == [False, False, True] * 3
    assert [brought(database, job.id) for job in database.read(jobs.recent)[::-1]] == [
        [1, 2, 3],
        [4, 5, 6],
        [7, 8, 9],
    ]


def test_nothing_trains_before_there_are_enough_annotations_and_then_every_event_does(database: Database) -> None:
    rules = Rules(min_annotations=3, debounce=0.0)
    assert [annotated(database, number, rules) is not None for number in range(5)] == [
        False,
        False,
        True,
        True,
        True,
    ]


def test_enough_annotations_and_enough_new_ones_are_both_needed(database: Database) -> None:
    rules = Rules(every=2, min_annotations=5, debounce=0.0)
    found = [annotated(database, number, rules) is not None for number in range(9)]
    assert found == [False, False, False, False, True, False, True, False, True]


def test_a_skipped_annotation_does_not_count_until_it_is_filled_in(database: Database) -> None:
    rules = Rules(every=2, debounce=0.0)
    assert annotated(database, 1, rules, skipped=True) is None
    assert annotated(database, 2, rules) is None
    assert annotated(database, 1, rules, action=UPDATED)


def test_an_annotation_skipped_when_a_training_began_is_new_when_it_is_filled_in_later(database: Database) -> None:
    rules = Rules(every=2, debounce=0.0)
    annotated(database, 1, rules, skipped=True)
    annotated(database, 2, rules)
    assert annotated(database, 3, rules)
    assert annotated(database, 4, rules) is None
    assert annotated(database, 1, rules, action=UPDATED)


def test_an_annotation_that_is_updated_or_told_twice_counts_once(database: Database) -> None:
    rules = Rules(every=2, debounce=0.0)
    assert annotated(database, 1, rules) is None
    assert annotated(database, 1, rules, action=UPDATED) is None
    assert annotated(database, 1, rules) is None
    assert annotated(database, 2, rules)


def test_updating_what_a_training_has_seen_makes_nothing_new(database: Database) -> None:
    rules = Rules(every=2, debounce=0.0)
    annotated(database, 1, rules)
    assert annotated(database, 2, rules)
    for _ in range(3):
        assert annotated(database, 1, rules, action=UPDATED) is None


def test_a_deleted_annotation_counts_no_longer(database: Database) -> None:
    rules = Rules(min_annotations=2, debounce=0.0)
    annotated(database, 1, rules)
    assert annotated(database, 1, rules, action=DELETED) is None
    assert annotated(database, 2, rules) is None
    assert annotated(database, 3, rules)


def test_annotations_of_a_deleted_task_count_no_longer(database: Database) -> None:
    rules = Rules(min_annotations=3, debounce=0.0)
    annotated(database, 1, rules, task=7)
    annotated(database, 2, rules, task=7)
    assert happen(database, describe(1), "TASKS_DELETED", rules=rules, tasks=[{"id": 7}]) is None
    assert annotated(database, 3, rules, task=8) is None
    assert annotated(database, 4, rules, task=8) is None
    assert annotated(database, 5, rules, task=8)


def test_annotations_made_and_deleted_in_bulk_each_count(database: Database) -> None:
    rules, description = Rules(min_annotations=4, debounce=0.0), describe(1, train_events=ALL_KINDS)
    several = [{"id": number, "task": number} for number in range(3)]
    assert happen(database, description, "ANNOTATIONS_CREATED", rules=rules, annotations=several) is None
    assert happen(database, description, "ANNOTATIONS_DELETED", rules=rules, annotations=several[:2]) is None
    assert annotated(database, 10, rules) is None
    assert annotated(database, 11, rules) is None
    assert annotated(database, 12, rules)


def test_projects_are_counted_apart(database: Database) -> None:
    rules, description = Rules(every=2, debounce=0.0), describe(1)
    one = {"annotation": {"id": 1, "task": 1}}
    assert happen(database, description, CREATED, "1", rules, **one) is None
    assert happen(database, description, CREATED, "2", rules, **one) is None
    assert happen(database, description, CREATED, "2", rules, annotation={"id": 2, "task": 1})
    assert pending(database) == [1]


@pytest.mark.parametrize("generation", [1, 2])
def test_start_training_releases_what_was_held_and_counting_begins_anew(
    database: Database, generation: int
) -> None:
    rules, description = Rules(every=3, min_annotations=100, debounce=60.0), describe(generation)
    annotated(database, 1, rules, generation=generation)
    annotated(database, 2, rules, generation=generation)
    newest = happen(database, description, "START_TRAINING", rules=rules)
    assert newest
    assert pending(database) == []
    assert get(database, newest).not_before <= time.time()
    assert database.read(counts.count, "1") == (2, 0)


def test_generation_2_holds_events_and_then_gets_every_one_in_order(database: Database) -> None:
    rules = Rules(every=3)
    assert [annotated(database, number, rules, generation=2) for number in (1, 2)] == [None, None]
    assert annotated(database, 1, rules, action=UPDATED, generation=2) is None
    newest = annotated(database, 3, rules, generation=2)
    for expected in (1, 2, 3, 4):
        job_id = claim(database)
        assert brought(database, job_id) == [expected]
        finish(database, job_id)
    assert job_id == newest
    assert database.read(jobs.next_due) is None


def test_a_job_of_generation_2_starts_without_waiting_for_quiet(database: Database) -> None:
    happen(database, describe(2), rules=Rules(debounce=60.0))
    claim(database)


# --- waiting for quiet --------------------------------------------------------------------------------------


def test_generation_1_waits_for_a_quiet_moment_that_begins_anew_with_each_event(database: Database) -> None:
    rules = Rules(debounce=60.0)
    before = time.time()
    job_id = happen(database, describe(1), rules=rules)
    first = get(database, job_id).not_before
    assert before + 60 <= first <= time.time() + 60
    assert database.write(transitions.claim, "me", 30) is None
    assert happen(database, describe(1), rules=rules) == job_id
    second = get(database, job_id).not_before
    assert first <= second <= time.time() + 60
    claimed = database.write(transitions.claim, "me", 30, now=second)
    assert claimed is not None
    assert brought(database, claimed.id) == [1, 2]


def test_events_that_never_stop_put_off_a_training_by_ten_quiet_times_at_most(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules, now = Rules(debounce=2.0), [1_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    job_id = happen(database, describe(1), rules=rules)
    due = []
    for _ in range(30):
        now[0] += 1.0
        assert happen(database, describe(1), rules=rules) == job_id
        due.append(get(database, job_id).not_before - 1_000_000.0)
    assert due == sorted(due)
    assert due[:3] == [3.0, 4.0, 5.0]
    assert due[-1] == 20.0


def test_start_training_does_not_wait_for_quiet(database: Database) -> None:
    rules = Rules(debounce=60.0)
    job_id = happen(database, describe(1), rules=rules)
    assert happen(database, describe(1), "START_TRAINING", rules=rules) == job_id
    assert claim(database) == job_id


def test_an_event_does_not_hurry_a_job_that_pauses_after_a_failed_attempt(database: Database) -> None:
    job_id = happen(database, describe(1))
    claim(database)
    database.write(transitions.release, job_id or "", "me", "The trainer died.")
    due = get(database, job_id).not_before
    assert due > time.time()
    assert happen(database, describe(1)) == job_id
    assert happen(database, describe(1), "START_TRAINING") == job_id
    assert get(database, job_id).not_before == due
    assert brought(database, job_id) == [1, 2, 3]


# --- a property ---------------------------------------------------------------------------------------------

ids = some.integers(1, 6)
touches = some.one_of(
    some.tuples(some.sampled_from([CREATED, UPDATED]), ids, some.booleans()),
    some.tuples(some.just(DELETED), ids, some.just(False)),
    some.tuples(some.just("TASKS_DELETED"), some.integers(0, 2), some.just(False)),
    some.tuples(some.just("trained"), some.just(0), some.just(False)),
)


class Model:
    """Annotations as a dictionary: whether each is skipped, and whether a training has seen it."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[bool, bool]] = {}

    def happen(self, action: str, number: int, skipped: bool) -> None:
        if action == "trained":
            self.known = {key: (skip, seen or not skip) for key, (skip, seen) in self.known.items()}
        elif action == "TASKS_DELETED":
            self.known = {key: value for key, value in self.known.items() if key % 3 != number}
        elif action == DELETED:
            self.known.pop(number, None)
        else:
            self.known[number] = (skipped, self.known.get(number, (False, False))[1])

    def count(self) -> tuple[int, int]:
        useful = [seen for skip, seen in self.known.values() if not skip]
        return len(useful), useful.count(False)


@given(story=some.lists(touches, max_size=25), twice=some.booleans())
def test_annotations_are_counted_as_a_simple_model_counts_them_also_when_everything_is_told_twice(
    story: list[tuple[str, int, bool]], twice: bool
) -> None:
    model = Model()

    def tell(connection: Connection, action: str, number: int, skipped: bool) -> None:
        annotation = {"id": number, "task": number % 3 + 1, "was_cancelled": skipped}
        data = {"annotation": annotation, "tasks": [{"id": number + 1}]}
        counts.follow(connection, "1", protocol.touched(action, data))

    def live(connection: Connection) -> None:
        for action, number, skipped in story:
            model.happen(action, number, skipped)
            for _ in range(1 + twice):
                if action == "trained":
                    counts.mark_trained(connection, "1")
                else:
                    tell(connection, action, number, skipped)
            assert counts.count(connection, "1") == model.count()
            assert counts.count(connection, "2") == (0, 0)

    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection:
        tables.metadata.create_all(connection)
        live(connection)
    engine.dispose()
