"""Versions in the store: names, the active one, what may be deleted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from label_studio_ml.errors import NotFound, RequestError, StoreError
from label_studio_ml.store import projects, values, versions
from label_studio_ml.store.database import Database
from label_studio_ml.store.versions import INITIAL_NAME, Version

pytestmark = pytest.mark.every_database

Write = Callable[[Callable[[Connection], Any]], Any]


@pytest.fixture
def write(database: Database) -> Write:
    """Write to a store that knows project `1`, untrained."""
    database.write(projects.save, "1")
    return database.write


def publish(
    write: Write,
    changes: dict[str, Any] | None = None,
    *,
    author_name: str | None = None,
    kept: str | None = None,
    project_id: str = "1",
    **facts: Any,
) -> Version:
    version = Version(project_id=project_id, number=99, name="ignored", **{"created_at": time.time(), **facts})
    stored: Version = write(
        lambda connection: versions.publish(connection, version, changes or {}, author_name=author_name, kept=kept)
    )
    return stored


def get(write: Write, number: int, project_id: str = "1") -> Version:
    found: Version | None = write(lambda connection: versions.get(connection, project_id, number))
    assert found is not None
    return found


def active(write: Write, project_id: str = "1") -> Version:
    found: Version | None = write(lambda connection: versions.active(connection, project_id))
    assert found is not None
    return found


def activate(write: Write, number: int, project_id: str = "1") -> None:
    write(lambda connection: versions.activate(connection, project_id, number))


def kept(write: Write, number: int, project_id: str = "1") -> dict[str, Any]:
    found: dict[str, Any] = write(lambda connection: values.items(connection, project_id, number))
    return found


def test_a_project_begins_with_an_untrained_version_that_predicts(write: Write) -> None:
    initial = active(write)
    assert (initial.number, initial.name, initial.state, initial.train_output) == (
        0,
        INITIAL_NAME,
        "ready",
        {},
    )


def test_trainings_are_numbered_from_one_for_each_project(write: Write) -> None:
    write(lambda connection: projects.save(connection, "2"))
    assert [publish(write).number for _ in range(3)] == [1, 2, 3]
    assert publish(write, project_id="2").number == 1


def test_what_is_published_is_what_is_stored_and_waits_to_be_loaded(write: Write) -> None:
    stored = publish(
        write,
        train_output={"weights": "w"},
        workdir="/w",
        config_hash="abc",
        parent=0,
        metrics={"f1": 0.5},
        trained_on={"tasks": 3},
        duration=1.5,
        job_id="job",
        state="ready",
    )
    assert stored == get(write, 1)
    assert (stored.state, stored.parent, stored.duration, stored.job_id) == ("new", 0, 1.5, "job")
    assert active(write).number == 0


def test_a_name_nobody_chose_is_the_number_and_the_time(write: Write) -> None:
    names = [publish(write, created_at=1_795_402_042.0).name for _ in range(2)]
    assert names == ["0001-20261123-024722", "0002-20261123-024722"]
    assert names == sorted(names)


def test_a_model_whose_setup_names_it_becomes_constant_plus_number(write: Write) -> None:
    assert [publish(write, base_name="bert").name for _ in range(2)] == ["bert+1", "bert+2"]


def test_the_name_that_fit_chose_wins(write: Write) -> None:
    assert publish(write, author_name="2.0.0", base_name="bert").name == "2.0.0"


def test_a_name_that_is_taken_is_made_unique(write: Write) -> None:
    names = [publish(write, author_name="same").name for _ in range(4)]
    assert names == ["same", "same+2", "same+3", "same+4"]
    publish(write, author_name="other+7")
    names += [publish(write, author_name="other").name for _ in range(2)]
    assert publish(write, author_name="same").name == "same+8"
    assert len(set(names)) == len(names)


def test_a_name_made_from_constant_and_number_gives_way_to_one_the_author_took(write: Write) -> None:
    publish(write, author_name="bert+2")
    assert publish(write, base_name="bert").name == "bert+2+2"


def test_projects_may_use_the_same_names(write: Write) -> None:
    write(lambda connection: projects.save(connection, "2"))
    assert publish(write, author_name="same").name == publish(write, author_name="same", project_id="2").name


def test_a_version_starts_from_its_parents_values_and_going_back_finds_them_unchanged(write: Write) -> None:
    write(lambda connection: values.put(connection, "1", 0, {"kept": 1, "changed": "old"}))
    first = publish(write, {"changed": "new", "added": [1]}, parent=0)
    second = publish(write, {"added": None}, parent=1)
    beside = publish(write, {}, parent=0)
    assert kept(write, 1) == {"kept": 1, "changed": "new", "added": [1], "model_version": first.name}
    assert kept(write, 2) == {"kept": 1, "changed": "new", "added": None, "model_version": second.name}
    assert kept(write, 3) == {"kept": 1, "changed": "old", "model_version": beside.name}
    assert kept(write, 0) == {"kept": 1, "changed": "old"}


def test_publishing_for_a_project_that_was_deleted_stores_nothing(write: Write) -> None:
    write(lambda connection: projects.remove(connection, "1"))
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        publish(write)
    assert write(versions.of_project) == []


def test_renaming_the_untrained_model_takes_the_name_as_it_is(write: Write) -> None:
    initial = active(write)
    renamed = write(lambda connection: versions.rename(connection, initial, "bert"))
    assert renamed == get(write, 0)
    assert (renamed.name, renamed.base_name, kept(write, 0)) == ("bert", "bert", {"model_version": "bert"})


def test_renaming_a_trained_version_keeps_its_number(write: Write) -> None:
    version = publish(write)
    renamed = write(lambda connection: versions.rename(connection, version, "bert"))
    assert (renamed.name, renamed.base_name) == ("bert+1", "bert")
    assert renamed == get(write, 1)
    assert kept(write, 1)["model_version"] == "bert+1"
    again = write(lambda connection: versions.rename(connection, renamed, "bert"))
    assert again == renamed


def test_renaming_to_a_name_that_is_taken_makes_it_unique(write: Write) -> None:
    publish(write, author_name="bert")
    initial = get(write, 0)
    renamed = write(lambda connection: versions.rename(connection, initial, "bert"))
    assert renamed.name == "bert+0"


def test_activating_a_version_lets_it_predict_and_marks_it_and_those_skipped_ready(write: Write) -> None:
    for _ in range(4):
        publish(write)
    write(lambda connection: versions.fail(connection, "1", 1, "no weights"))
    activate(write, 3)
    assert active(write).number == 3
    assert [get(write, number).state for number in (1, 2, 3, 4)] == ["failed", "ready", "ready", "new"]


def test_going_back_is_activating_an_older_version(write: Write) -> None:
    publish(write)
    activate(write, 1)
    activate(write, 0)
    assert active(write).number == 0
    assert write(versions.untried) == {}


def test_a_version_that_cannot_be_loaded_is_not_tried_again_until_someone_activates_it(write: Write) -> None:
    publish(write)
    write(lambda connection: versions.fail(connection, "1", 1, "no weights"))
    assert (get(write, 1).state, get(write, 1).error) == ("failed", "no weights")
    assert write(versions.untried) == {}
    assert active(write).number == 0
    activate(write, 1)
    assert (get(write, 1).state, get(write, 1).error) == ("ready", None)


def test_the_newest_untried_version_of_each_project_waits_to_be_loaded(write: Write) -> None:
    write(lambda connection: projects.save(connection, "2"))
    for project_id in "1121":
        publish(write, project_id=project_id)
    assert write(versions.untried) == {"1": 3, "2": 1}
    activate(write, 3)
    assert write(versions.untried) == {"2": 1}


def test_a_version_that_somebody_chose_is_not_replaced_by_those_that_were_waiting(write: Write) -> None:
    for _ in range(3):
        publish(write)
    write(lambda connection: versions.choose(connection, "1", 1))
    assert write(versions.untried) == {}
    assert write(lambda connection: versions.take_over(connection, "1", 3)) is False
    assert active(write).number == 1
    publish(write)  # a training that ends later is newer than the choice
    assert write(versions.untried) == {"1": 4}
    assert write(lambda connection: versions.take_over(connection, "1", 4)) is True
    assert active(write).number == 4


def test_servers_that_load_the_same_version_at_once_all_serve_it(write: Write) -> None:
    publish(write)
    assert write(lambda connection: versions.take_over(connection, "1", 1)) is True
    assert write(lambda connection: versions.take_over(connection, "1", 1)) is True
    assert active(write).number == 1


def test_the_next_training_starts_from_the_newest_version_that_may_still_serve(write: Write) -> None:
    def newest() -> int:
        found: Version = write(lambda connection: versions.newest(connection, "1"))
        return found.number

    assert newest() == 0
    publish(write)
    assert newest() == 1
    write(lambda connection: versions.fail(connection, "1", 1, "no weights"))
    assert newest() == 0
    publish(write)
    activate(write, 2)
    activate(write, 0)
    assert newest() == 0
    assert write(lambda connection: versions.newest(connection, "unknown")) is None


def test_versions_come_newest_first(write: Write) -> None:
    write(lambda connection: projects.save(connection, "2"))
    publish(write, created_at=time.time() + 10)
    publish(write, project_id="2", created_at=time.time() + 20)

    def listed(project_id: str | None) -> list[tuple[str, int]]:
        found = write(lambda connection: versions.of_project(connection, project_id))
        return [(version.project_id, version.number) for version in found]

    assert listed("1") == [("1", 1), ("1", 0)]
    assert listed(None)[:2] == [("2", 1), ("1", 1)]
    assert len(listed(None)) == 4
    assert listed("unknown") == []


def test_a_copied_model_is_the_active_one_with_its_values_in_the_other_project(write: Write) -> None:
    write(lambda connection: values.put(connection, "1", 0, {"base": 1}))
    publish(write, {"weights": [1, 2]}, author_name="2.0", train_output={"a": 1}, workdir="/w", parent=0)
    publish(write, {"weights": [9]}, author_name="3.0", parent=0)
    activate(write, 1)
    write(lambda connection: projects.duplicate_model(connection, "1", "2"))
    copy = get(write, 1, "2")
    origin = get(write, 1)
    same = {"train_output", "workdir", "base_name", "config_hash", "metrics", "trained_on", "duration"}
    assert {name: getattr(copy, name) for name in same} == {name: getattr(origin, name) for name in same}
    assert (copy.name, copy.parent, copy.job_id, copy.state) == ("2.0", 0, None, "new")
    assert kept(write, 1, "2") == {"base": 1, "weights": [1, 2], "model_version": "2.0"}
    assert active(write, "2").number == 0
    assert write(versions.untried)["2"] == 1


def test_copying_an_untrained_model_works_like_any_other(write: Write) -> None:
    write(lambda connection: projects.duplicate_model(connection, "1", "2"))
    assert get(write, 1, "2").name == f"{INITIAL_NAME}+1"


def test_copying_into_a_project_with_versions_adds_one(write: Write) -> None:
    write(lambda connection: projects.save(connection, "2", label_config="<View/>"))
    publish(write, project_id="2", author_name=INITIAL_NAME)
    write(lambda connection: projects.duplicate_model(connection, "1", "2"))
    assert get(write, 2, "2").name == f"{INITIAL_NAME}+2"
    assert write(lambda connection: projects.get(connection, "2")).label_config == "<View/>"


def test_a_model_of_an_unknown_project_cannot_be_copied_and_leaves_no_trace(write: Write) -> None:
    with pytest.raises(NotFound, match="Project 9 is not known here, so its model cannot be copied"):
        write(lambda connection: projects.duplicate_model(connection, "9", "2"))
    assert write(lambda connection: projects.get(connection, "2")) is None


def test_a_version_knows_everything_it_was_given_in_a_form_that_can_be_sent(write: Write) -> None:
    version = publish(write)
    assert msgspec.json.decode(msgspec.json.encode(version), type=Version) == version


# --- kept aside --------------------------------------------------------------------------------------------


def test_a_version_that_is_kept_aside_says_why_and_neither_predicts_nor_is_tried_nor_trained_on(
    write: Write,
) -> None:
    publish(write)
    activate(write, 1)
    aside = publish(write, {"a": 1}, kept="f1 is 0.4, which is not >= 0.5 (f1>=active)", parent=1)
    assert (aside.state, aside.error) == ("kept", "f1 is 0.4, which is not >= 0.5 (f1>=active)")
    assert aside == get(write, 2)
    assert kept(write, 2)["a"] == 1
    assert write(versions.untried) == {}
    assert active(write).number == 1
    assert write(lambda connection: versions.newest(connection, "1")).number == 1


def test_a_version_that_was_kept_aside_can_be_activated_by_hand(write: Write) -> None:
    publish(write, kept="worse")
    activate(write, 1)
    assert (active(write).number, get(write, 1).state, get(write, 1).error) == (1, "ready", None)


# --- finding, removing, pruning ----------------------------------------------------------------------------


def find(write: Write, name: str, project_id: str = "1") -> Version:
    found: Version = write(lambda connection: versions.find(connection, project_id, name))
    return found


def remove(write: Write, number: int) -> None:
    version = get(write, number)
    write(lambda connection: versions.remove(connection, version))


def test_a_version_is_found_by_its_name_or_its_number(write: Write) -> None:
    publish(write, author_name="bert")
    assert find(write, "bert") == find(write, "1") == get(write, 1)
    assert find(write, "0") == find(write, INITIAL_NAME) == get(write, 0)


def test_a_version_that_does_not_exist_is_answered_with_those_that_do(write: Write) -> None:
    publish(write, author_name="bert", created_at=time.time() + 10)
    with pytest.raises(NotFound, match=rf"Project 1 has no version gpt; it has bert, {INITIAL_NAME}\."):
        find(write, "gpt")
    with pytest.raises(NotFound, match=r"Project 9 has no version bert; it has none at all\."):
        find(write, "bert", "9")


def test_a_name_goes_before_a_number(write: Write) -> None:
    publish(write, author_name="2")
    publish(write, author_name="other")
    assert find(write, "2").number == 1
    assert find(write, "1").number == 1


def test_a_version_is_removed_with_its_values(write: Write) -> None:
    publish(write, {"a": 1})
    remove(write, 1)
    assert write(lambda connection: versions.get(connection, "1", 1)) is None
    assert kept(write, 1) == {}
    assert [version.number for version in write(versions.of_project)] == [0]


def test_the_number_of_a_removed_version_may_come_again_but_never_beside_another(write: Write) -> None:
    publish(write)
    publish(write)
    remove(write, 1)
    assert publish(write).number == 3


def test_the_version_that_predicts_cannot_be_removed(write: Write) -> None:
    version = publish(write)
    activate(write, 1)
    with pytest.raises(RequestError, match=f"Version {version.name} predicts for project 1; activate another"):
        remove(write, 1)
    assert active(write).number == 1


def test_the_untrained_model_cannot_be_removed_even_when_it_does_not_predict(write: Write) -> None:
    publish(write)
    activate(write, 1)
    with pytest.raises(RequestError, match=r"The untrained model cannot be deleted\."):
        remove(write, 0)
    assert get(write, 0).number == 0


def surplus(write: Write, keep: int) -> list[int]:
    return [version.number for version in write(lambda connection: versions.surplus(connection, "1", keep))]


def test_what_is_surplus_are_the_oldest_trained_versions(write: Write) -> None:
    for _ in range(5):
        publish(write)
    activate(write, 5)
    assert surplus(write, 2) == [3, 2, 1]
    assert surplus(write, 5) == surplus(write, 100) == []


def test_the_active_version_is_never_surplus(write: Write) -> None:
    for _ in range(4):
        publish(write)
    activate(write, 4)
    activate(write, 2)
    assert surplus(write, 1) == [3, 1]


def test_a_version_that_waits_to_be_loaded_is_not_surplus_but_failed_and_kept_ones_are(write: Write) -> None:
    publish(write)
    publish(write, kept="worse")
    publish(write)
    publish(write)
    write(lambda connection: versions.fail(connection, "1", 1, "no weights"))
    assert surplus(write, 1) == [2, 1]
