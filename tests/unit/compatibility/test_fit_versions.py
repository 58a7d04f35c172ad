"""What a training leaves: a version under its name, or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.in_process_backend import served
from tests.support.learning_models import Learner, Remembers


def test_a_fit_that_changes_nothing_makes_no_version(tmp_path: Path) -> None:
    class Skips(Learner):
        def fit(self, event: str, data: Any, **kwargs: Any) -> None:
            self.get("anything")

    with served(Skips, tmp_path) as backend:
        before = backend.setup()
        reply = backend.annotate()
        assert backend.job(reply)["job_status"] == "finished"
        assert backend.setup() == before
        assert backend.versions() == [before]
        assert not list(tmp_path.glob("versions/*/*"))


class Fails(Remembers):
    def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
        self.set("events", ["of a training that failed"])
        self.set("model_version", "never")
        Path(kwargs["workdir"], "half-written").touch()
        if data["annotation"]["id"] == 1:
            raise RuntimeError("out of memory")
        if data["annotation"]["id"] == 2:
            raise SystemExit(1)
        return {"weights": object()}


@pytest.mark.parametrize(("number", "says"), [(1, "out of memory"), (2, "SystemExit"), (3, "not JSON")])
def test_a_training_that_fails_leaves_nothing_and_says_why(number: int, says: str, tmp_path: Path) -> None:
    with served(Fails, tmp_path) as backend:
        before = backend.setup()
        reply = backend.annotate(number)
        job = backend.job(reply)
        (prediction,) = backend.predict("x")

        assert reply.status_code == 201
        assert job["job_status"] == "failed"
        assert says in job["error"]
        assert "Traceback" not in json.dumps(job)
        assert prediction["meta"] == 0
        assert prediction["model_version"] == backend.setup() == before
        assert backend.versions() == [before]
        assert not list(tmp_path.glob("versions/*/*"))


def test_a_version_named_in_fit_is_what_everyone_calls_it(tmp_path: Path) -> None:
    class Names(Remembers):
        def setup(self) -> None:
            self.set("model_version", "constant")

        def fit(self, event: str, data: Any, **kwargs: Any) -> None:
            self.set("model_version", f"trained-on-{data['annotation']['id']}")

    with served(Names, tmp_path) as backend:
        assert backend.setup() == "constant"
        backend.annotate(5)
        assert backend.setup() == backend.predict("x")[0]["model_version"] == "trained-on-5"
        assert backend.versions() == ["trained-on-5", "constant"]


def test_a_version_bumped_in_fit_counts_up(tmp_path: Path) -> None:
    class Bumps(Remembers):
        def fit(self, event: str, data: Any, **kwargs: Any) -> None:
            self.bump_model_version()

    with served(Bumps, tmp_path) as backend:
        backend.setup()
        backend.annotate(1)
        backend.annotate(2)
        assert backend.versions() == ["0.2.0", "0.1.0", "0.0.1"]
        assert backend.predict("x")[0]["model_version"] == "0.2.0"
