"""Versions, as people and the command line ask for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.in_process_backend import Served, served
from tests.support.managed_backend import Learner, ask, score, trained


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Served]:
    with served(Learner, tmp_path) as backend:
        backend.setup()
        yield backend


def test_versions_are_listed_newest_first_and_the_one_that_predicts_is_marked(backend: Served) -> None:
    found = trained(backend, 2)
    assert [(one["number"], one["active"]) for one in found] == [(2, True), (1, False), (0, False)]
    assert ask(backend, "/projects/8/versions").json == {"versions": []}


def test_projects_are_listed_also_those_not_heard_of_since_the_start(tmp_path: Path) -> None:
    with served(Learner, tmp_path) as backend:
        assert ask(backend, "/projects").json == {"projects": []}
        backend.setup()
        backend.setup("8.1")
        backend.predict("x", project="")
    with served(Learner, tmp_path) as backend:
        assert ask(backend, "/projects").json == {"projects": ["7", "8"]}


def test_one_version_is_shown_by_name_or_number(backend: Served) -> None:
    newest = trained(backend)[0]
    shown = [ask(backend, "/projects/7/show", body={"version": name}).json for name in ("1", newest["version"])]
    assert shown[0] == shown[1]
    assert shown[0]["train_output"] == {"seen": 1}
    assert shown[0]["values"]["seen"] == 1


def test_activating_an_older_version_makes_predictions_return_to_it(backend: Served) -> None:
    found = trained(backend, 2)
    assert score(backend) == 2
    reply = ask(backend, "/projects/7/activate", body={"version": "1"})
    assert (reply.status_code, reply.json["active"]) == (200, True)
    assert score(backend) == 1
    assert backend.setup() == found[1]["version"]
    assert ask(backend, "/projects/7/activate", body={"version": found[0]["version"]}).json["number"] == 2
    assert score(backend) == 2


def test_after_going_back_the_next_training_starts_from_there(backend: Served) -> None:
    trained(backend, 2)
    ask(backend, "/projects/7/activate", body={"version": "1"})
    backend.annotate(3)
    newest = ask(backend, "/projects/7/versions").json["versions"][0]
    assert (newest["number"], newest["parent"], newest["active"]) == (3, 1, True)
    assert score(backend) == 2


@pytest.mark.parametrize("connected", [True, False], ids=["connected", "not heard of since the start"])
def test_a_version_that_cannot_be_loaded_leaves_the_old_one_active_and_says_why(
    tmp_path: Path, connected: bool
) -> None:
    with served(Learner, tmp_path) as backend:
        backend.setup()
        found = trained(backend, 2)
    Path(found[1]["workdir"], "broken").touch()
    with served(Learner, tmp_path) as backend:
        if connected:
            assert backend.setup() == found[0]["version"]
        reply = ask(backend, "/projects/7/activate", body={"version": "1"})
        assert reply.status_code == 503
        error = reply.json["error"]
        assert error.startswith(f"Version 1 cannot be loaded, so {found[0]['version']} stays: ")
        assert error.endswith("OSError: the weights are damaged")
        assert score(backend) == 2
        assert backend.setup() == found[0]["version"]
        now = ask(backend, "/projects/7/versions").json["versions"]
    assert [(one["number"], one["active"], one["state"]) for one in now] == [
        (2, True, "ready"),
        (1, False, "failed"),
        (0, False, "ready"),
    ]
    assert now[1]["error"].endswith("the weights are damaged")


def test_a_version_is_deleted_with_its_files_but_never_the_one_that_predicts(backend: Served) -> None:
    found = trained(backend, 2)
    reply = ask(backend, "/projects/7/remove", body={"version": "2"})
    assert reply.status_code == 400
    assert "predicts for project 7; activate another first" in reply.json["error"]
    assert ask(backend, "/projects/7/remove", body={"version": "1"}).json == {"status": "ok"}
    assert not Path(found[1]["workdir"]).exists()
    assert Path(found[0]["workdir"]).is_dir()
    assert [one["number"] for one in ask(backend, "/projects/7/versions").json["versions"]] == [2, 0]


@pytest.mark.parametrize("verb", ["show", "activate", "remove"])
def test_a_version_that_does_not_exist_is_not_found_and_nothing_is_made(backend: Served, verb: str) -> None:
    reply = ask(backend, f"/projects/7/{verb}", body={"version": "gpt"})
    assert (reply.status_code, reply.json["error"]) == (404, "Project 7 has no version gpt; it has 0.0.1.")
    reply = ask(backend, f"/projects/99/{verb}", body={"version": "1"})
    assert (reply.status_code, reply.json["error"]) == (404, "Project 99 has no version 1; it has none at all.")
    assert ask(backend, "/projects/99/versions").json == {"versions": []}


@pytest.mark.parametrize("verb", ["show", "activate", "remove"])
@pytest.mark.parametrize("body", [{}, {"version": 1}, {"version": None}, [], "1"], ids=json.dumps)
def test_a_body_that_names_no_version_is_refused_with_the_field(backend: Served, verb: str, body: Any) -> None:
    reply = ask(backend, f"/projects/7/{verb}", body=body)
    assert reply.status_code == 400
    assert reply.json["error"]
