"""The trainer runs `fit()`: what becomes a version, and what a failure leaves behind."""

from __future__ import annotations

import json
import logging
import os
import socket
import stat
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from label_studio_ml import settings
from label_studio_ml.author.host import ModelHost
from label_studio_ml.errors import StoreError
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.processes import messages
from label_studio_ml.store import events, jobs, projects, transitions, versions
from label_studio_ml.store.database import Database
from label_studio_ml.store.jobs import Job, JobState
from label_studio_ml.store.versions import Version
from label_studio_ml.train import training

ME = "me"


class Plain(LabelStudioMLBase):
    def fit(self, event: str, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {"event": event}


class Setup:
    """A store, a model folder, and jobs of project `1` run one after another in this process."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.model_dir = database, folder / "model-data"
        database.write(projects.save, "1")

    def queue(self, *happened: tuple[str, dict[str, Any]], project: str = "1") -> str:
        """A job with some events, claimed."""

        def change(connection: Connection) -> str:
            job_id = jobs.add(connection, project, happened[-1][0] if happened else "START_TRAINING")
            for action, data in happened:
                event_id = events.add(connection, project, action, json.dumps(data).encode())
                events.assign(connection, [event_id], job_id)
            return job_id

        return self.database.write(change)

    def run(self, model: type[Any], *happened: tuple[str, dict[str, Any]], **options: Any) -> messages.Outcome:
        """Queue a job and run it."""
        return self.run_job(model, self.queue(*happened), **options)

    def run_job(self, model: type[Any], job_id: str, *, later: float = 0, **options: Any) -> messages.Outcome:
        """Claim the next job, as it will be possible `later` seconds from now, and run it."""
        now = time.time() + later
        owner = f"{ME}/{uuid.uuid4().hex}"
        claimed = self.database.write(transitions.claim, owner, 30, now=now)
        assert claimed is not None
        assert claimed.id == job_id
        config = settings.load({}, model_dir=self.model_dir, **options)
        return training.run(ModelHost(model, {}, config, self.database), config, self.database, job_id, owner)

    def job(self, job_id: str) -> Job:
        job = self.database.read(jobs.get, job_id)
        assert job is not None
        return job

    def version(self, number: int, project: str = "1") -> Version:
        version = self.database.read(versions.get, project, number)
        assert version is not None
        return version

    def activate(self, number: int) -> None:
        self.database.write(versions.activate, "1", number)

    def save(self, **facts: Any) -> None:
        self.database.write(projects.save, "1", **facts)


@pytest.fixture
def setup(database: Database, tmp_path: Path) -> Setup:
    return Setup(database, tmp_path)


def annotated(number: int, task: int) -> tuple[str, dict[str, Any]]:
    return "ANNOTATION_CREATED", {
        "annotation": {"id": number, "task": task, "result": [], "was_cancelled": False},
        "task": {"id": task, "data": {"text": f"text {task}"}},
    }


@pytest.mark.parametrize("project", ["1", "/tmp/elsewhere", "a/b", "a b\u00e4", ""])
def test_what_a_training_leaves_is_inside_the_model_folder_whatever_the_project_is_called(
    setup: Setup, database: Database, project: str
) -> None:
    database.write(projects.save, project)
    job_id = setup.queue(project=project)
    assert setup.run_job(Plain, job_id) == messages.Fitted(job_id, 1)
    version = setup.version(1, project)
    assert Path(version.workdir).is_dir()
    assert Path(version.workdir).relative_to(setup.model_dir / "versions").name.startswith(job_id)
    assert (setup.job(job_id).state, setup.job(job_id).version) == (JobState.FINISHED, 1)


def test_a_job_of_another_server_is_not_run(setup: Setup, database: Database) -> None:
    config = settings.load({}, model_dir=setup.model_dir)
    job_id = setup.queue()
    database.write(transitions.claim, "somebody", 30)
    reply = training.run(ModelHost(Plain, {}, config, database), config, database, job_id, ME)
    assert isinstance(reply, messages.Failed)
    assert (setup.job(job_id).state, setup.job(job_id).lease_owner) == (JobState.STARTED, "somebody")


def test_a_version_knows_which_events_and_tasks_it_was_trained_on(setup: Setup) -> None:
    class Learner(LabelStudioMLBase):
        def fit(self, annotations: Any, **kwargs: Any) -> dict[str, Any]:
            return {"count": len(annotations)}

    setup.run(Learner, annotated(1, 1), annotated(2, 2))
    setup.run(Learner, annotated(3, 2))
    first, second = (setup.version(number).trained_on for number in (1, 2))
    assert (first["source"], first["tasks"], first["events"]) == ("events", 2, [1, 2])
    assert (second["source"], second["tasks"], second["events"]) == ("events", 2, [3])
    assert first["snapshot"] != second["snapshot"]
    assert not list((setup.model_dir / "jobs").glob("*/*.jsonl"))


def test_a_fit_that_raises_leaves_no_files_and_the_reason_in_one_line_and_in_full(setup: Setup) -> None:
    class Fragile(LabelStudioMLBase):
        def fit(self, event: str, data: Any, workdir: str, **kwargs: Any) -> None:
            Path(workdir, "half").write_text("written")
            raise ValueError("no gradient")

    reply = setup.run(Fragile, annotated(1, 1))
    assert isinstance(reply, messages.Failed)
    job = setup.job(reply.job_id)
    assert (job.state, job.error) == (JobState.FAILED, "fit() failed: ValueError: no gradient")
    assert 'raise ValueError("no gradient")' in (job.error_detail or "")
    assert not list((setup.model_dir / "versions").rglob("half"))


def test_an_error_after_a_commit_that_took_place_leaves_the_version_and_its_files(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Database.write

    def unsure(self: Database, change: Any, *args: Any, **kwargs: Any) -> Any:
        result = write(self, change, *args, **kwargs)
        if getattr(change, "__name__", "") == "_publish":
            raise StoreError("The connection broke.")
        return result

    monkeypatch.setattr(Database, "write", unsure)
    reply = setup.run(Measured, scored(0.5))
    assert reply == messages.Fitted(reply.job_id, 1)
    assert setup.job(reply.job_id).state is JobState.FINISHED
    assert Path(setup.version(1).workdir, "weights").is_file()


def test_the_next_attempt_deletes_what_one_that_was_killed_has_left(setup: Setup) -> None:
    class Killed(Measured):
        def fit(self, event: str, data: Any, workdir: str, **kwargs: Any) -> dict[str, Any]:
            raise KeyboardInterrupt

    job_id = setup.queue(scored(0.5))
    with pytest.raises(KeyboardInterrupt):
        setup.run_job(Killed, job_id)
    assert len(list((setup.model_dir / "versions").glob("*/*"))) == 1
    setup.database.write(transitions.release, job_id, setup.job(job_id).lease_owner or "", "It was killed.")
    assert setup.run_job(Measured, job_id, later=1000) == messages.Fitted(job_id, 1)
    assert list((setup.model_dir / "versions").glob("*/*")) == [Path(setup.version(1).workdir)]


def test_an_attempt_that_lost_its_lease_leaves_alone_what_the_next_one_has(setup: Setup) -> None:
    job_id = setup.queue(annotated(1, 1))
    seen: list[Path] = []

    class Overtaken(LabelStudioMLBase):
        def fit(self, event: str, data: Any, workdir: str, **kwargs: Any) -> dict[str, Any]:
            Path(workdir, "weights").write_text("w")
            seen.append(Path(workdir))
            if len(seen) == 1:
                owner = setup.job(job_id).lease_owner or ""
                setup.database.write(transitions.release, job_id, owner, "It stands still.")
                assert setup.run_job(Overtaken, job_id, later=1000) == messages.Fitted(job_id, 1)
            return {"weights": workdir}

    reply = setup.run_job(Overtaken, job_id)
    assert reply == messages.Fitted(job_id, 1)
    assert Path(setup.version(1).workdir) == seen[1]
    assert (seen[1] / "weights").is_file()


@pytest.mark.timeout(60)
def test_links_pipes_and_sockets_in_the_working_folder_do_not_disturb_a_training(setup: Setup) -> None:
    class Untidy(LabelStudioMLBase):
        def fit(self, event: str, data: Any, workdir: str, **kwargs: Any) -> dict[str, Any]:
            inside = Path(workdir, "inside")
            inside.mkdir()
            for folder in (Path(workdir), inside):
                (folder / "weights").write_text("w")
                (folder / "dangling").symlink_to(folder / "nothing")
                (folder / "loop").symlink_to(folder)
                os.mkfifo(folder / "pipe")
                os.mknod(folder / "socket", stat.S_IFSOCK | 0o600)
            return {"weights": workdir}

    reply = setup.run(Untidy, annotated(1, 1))
    assert reply == messages.Fitted(reply.job_id, 1)
    assert Path(setup.version(1).workdir, "inside", "weights").read_text() == "w"


# --- progress ----------------------------------------------------------------------------------------------


class Steps(LabelStudioMLBase):
    """Tells its progress as `script` says, and what the store knew after each step as `seen` gets it."""

    script: Callable[[Steps], None] = staticmethod(lambda model: None)

    def fit(self, event: str, data: Any, **kwargs: Any) -> dict[str, Any]:
        type(self).script(self)
        return {"done": True}


def scripted(script: Callable[[Any], None]) -> type[Any]:
    return type("Scripted", (Steps,), {"script": staticmethod(script)})


def test_progress_is_seen_with_the_job_while_fit_runs_and_kept_with_the_version(setup: Setup) -> None:
    seen = []

    def script(model: Steps) -> None:
        model.progress(0.25, loss=0.5)
        (job,) = setup.database.read(jobs.started)
        seen.append((job.fraction, job.metrics))
        model.progress(f1=1)

    reply = setup.run(scripted(script), annotated(1, 1))
    assert seen == [(0.25, {"loss": 0.5})]
    job = setup.job(reply.job_id)
    assert (job.fraction, job.metrics) == (1.0, {"loss": 0.5, "f1": 1.0})
    assert setup.version(1).metrics == {"loss": 0.5, "f1": 1.0}


def test_progress_may_be_called_in_every_step_of_a_loop(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    written = []
    report = jobs.report

    def counted(*arguments: Any) -> None:
        written.append(arguments)
        report(*arguments)

    monkeypatch.setattr(jobs, "report", counted)

    def script(model: Steps) -> None:
        for step in range(5000):
            model.progress(step / 5000, loss=float(step))
        model.progress(1.0)

    started = time.monotonic()
    setup.run(scripted(script), annotated(1, 1))
    assert len(written) <= 4 + (time.monotonic() - started) / 0.5
    assert setup.version(1).metrics == {"loss": 4999.0}
    told = [record for record in caplog.records if "loss=" in record.getMessage()]
    assert 1 <= len(told) <= 3 + (time.monotonic() - started) / 10
    assert "100% loss=4999" in told[-1].getMessage()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_metric_that_is_no_finite_number_is_refused_and_named(setup: Setup, value: float) -> None:
    reply = setup.run(scripted(lambda model: model.progress(0.5, loss=value)), annotated(1, 1))
    assert isinstance(reply, messages.Failed)
    assert "progress(): loss must be a finite number" in reply.error


def test_a_fraction_that_is_no_number_is_refused_too(setup: Setup) -> None:
    reply = setup.run(scripted(lambda model: model.progress(float("nan"))), annotated(1, 1))
    assert isinstance(reply, messages.Failed)
    assert "progress(): fraction must be a finite number, not nan." in reply.error


@pytest.mark.parametrize(("said", "kept"), [(-1, 0.0), (0, 0.0), (1, 1.0), (55, 1.0)])
def test_a_fraction_stays_between_nothing_and_everything(setup: Setup, said: float, kept: float) -> None:
    seen: list[float | None] = []

    def script(model: Steps) -> None:
        model.progress(said)
        seen.extend(job.fraction for job in setup.database.read(jobs.started))

    setup.run(scripted(script), annotated(1, 1))
    assert seen == [kept]


def test_numbers_of_other_libraries_are_numbers(setup: Setup) -> None:
    class Tensor:
        def __float__(self) -> float:
            return 0.5

    tensor: Any = Tensor()
    setup.run(scripted(lambda model: model.progress(tensor, loss=tensor)), annotated(1, 1))
    assert setup.version(1).metrics == {"loss": 0.5}


def test_progress_outside_fit_does_nothing() -> None:
    assert LabelStudioMLBase().progress(0.5, loss=0.1) is None  # type: ignore[func-returns-value]


def test_the_working_folder_is_known_inside_fit_for_both_generations(setup: Setup) -> None:
    seen = []

    class First(LabelStudioMLBase):
        def fit(self, annotations: Any, workdir: str | None = None, **kwargs: Any) -> None:
            seen.append(self.workdir == workdir)

    class Second(LabelStudioMLBase):
        def fit(self, event: str, data: Any, **kwargs: Any) -> None:
            seen.append(Path(self.workdir or "").is_dir())

    setup.run(First, annotated(1, 1))
    setup.run(Second, annotated(2, 1))
    assert seen == [True, True]


# --- evaluate and the gate ---------------------------------------------------------------------------------


class Measured(LabelStudioMLBase):
    """Measures itself by what its newest event says; sees what fit() left."""

    def fit(self, event: str, data: dict[str, Any], workdir: str, **kwargs: Any) -> dict[str, Any]:
        Path(workdir, "weights").write_text("w")
        self.set("f1", data["f1"])
        self.progress(0.5, loss=0.1)
        return {"weights": workdir}

    def evaluate(self, tasks: Iterable[dict[str, Any]]) -> dict[str, float]:
        assert Path(self.train_output["weights"], "weights").read_text() == "w"
        assert self.workdir == self.train_output["weights"]
        return {"f1": self.get("f1"), "tasks": len(list(tasks))}


def scored(f1: Any, number: int = 1) -> tuple[str, dict[str, Any]]:
    action, data = annotated(number, number)
    return action, {**data, "f1": f1}


def test_what_evaluate_measures_on_the_new_version_is_kept_with_it_and_with_the_job(setup: Setup) -> None:
    reply = setup.run(Measured, scored(0.5, 1), scored(0.75, 2))
    expected = {"f1": 0.75, "tasks": 2.0, "loss": 0.1}
    assert setup.version(1).metrics == expected
    assert setup.job(reply.job_id).metrics == expected


@pytest.mark.parametrize(
    ("returned", "why"),
    [
        (ZeroDivisionError("division by zero"), "evaluate() failed: ZeroDivisionError: division by zero"),
        (SystemExit(3), "evaluate() failed: SystemExit: 3"),
        (None, "evaluate() must return a dict of finite numbers by name, as in {'f1': 0.8}."),
        (0.5, "evaluate() must return a dict of finite numbers by name, as in {'f1': 0.8}."),
        ({"f1": "good"}, "evaluate() must return a dict of finite numbers by name, as in {'f1': 0.8}."),
        ({"f1": None}, "evaluate() must return a dict of finite numbers by name, as in {'f1': 0.8}."),
    ],
    ids=repr,
)
def test_an_evaluate_that_does_not_measure_fails_the_job_and_leaves_no_version(
    setup: Setup, returned: Any, why: str
) -> None:
    class Bad(Measured):
        def evaluate(self, tasks: Any) -> Any:
            if isinstance(returned, BaseException):
                raise returned
            return returned

    reply = setup.run(Bad, scored(0.5))
    assert isinstance(reply, messages.Failed)
    assert setup.job(reply.job_id).error == why
    assert setup.database.read(versions.get, "1", 1) is None
    assert not list((setup.model_dir / "versions").rglob("weights"))


def test_a_worse_version_is_kept_aside_with_the_reason_and_the_next_training_starts_from_the_active_one(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    gate = {"promote_if": "f1>=active"}
    setup.run(Measured, scored(0.5), **gate)
    assert setup.version(1).state == "new"  # nothing to be worse than
    setup.activate(1)

    reply = setup.run(Measured, scored(0.25, 2), **gate)
    worse = setup.version(2)
    assert (worse.state, worse.error) == ("kept", "f1 is 0.25, which is not >= 0.5 (f1>=active)")
    assert Path(worse.workdir, "weights").is_file()
    assert (setup.job(reply.job_id).state, setup.job(reply.job_id).version) == (JobState.FINISHED, 2)
    assert "is kept aside and does not predict: f1 is 0.25" in caplog.text

    setup.run(Measured, scored(0.5, 3), **gate)
    assert (setup.version(3).state, setup.version(3).parent) == ("new", 1)


def test_metrics_from_progress_pass_the_gate_as_well(setup: Setup) -> None:
    setup.run(scripted(lambda model: model.progress(1.0, loss=0.75)), annotated(1, 1), promote_if="loss<0.5")
    assert setup.version(1).error == "loss is 0.75, which is not < 0.5 (loss<0.5)"


def test_a_metric_that_nobody_measured_keeps_the_version_aside(setup: Setup) -> None:
    setup.run(Plain, annotated(1, 1), promote_if="f1>=active")
    assert setup.version(1).error == "there is no metric f1 (f1>=active); metrics: none"


# --- Label Studio is not there -----------------------------------------------------------------------------


class Learner(LabelStudioMLBase):
    def fit(self, annotations: Any, **kwargs: Any) -> dict[str, Any]:
        return {"tasks": [task["id"] for task in annotations]}


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address where nothing listens; attempts follow each other without a pause."""
    from label_studio_ml.label_studio import client

    monkeypatch.setattr(client, "_ATTEMPTS", 1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_a_job_waits_while_a_label_studio_that_has_answered_before_is_down_and_runs_later(
    setup: Setup, nobody: str, caplog: pytest.LogCaptureFixture
) -> None:
    setup.save(hostname=nobody, access_token="t")
    setup.database.write(projects.reached, "1")
    reply = setup.run(Learner, annotated(1, 1))
    assert isinstance(reply, messages.Postponed)
    assert reply.reason.startswith("Waiting for Label Studio: Label Studio did not give the tasks of project 1")
    job = setup.job(reply.job_id)
    assert (job.state, job.attempts, job.postponed, job.error) == (JobState.QUEUED, 0, 1, reply.reason)
    assert f"Job {job.id} waits 5 s" in caplog.text
    assert setup.database.read(versions.get, "1", 1) is None
    assert not any(path.is_file() for path in (setup.model_dir / "versions").rglob("*"))

    setup.save(hostname="")  # as when it answers again; then the events alone are enough
    assert setup.run_job(Learner, reply.job_id, later=60) == messages.Fitted(reply.job_id, 1)
    assert setup.job(reply.job_id).error is None


def test_a_label_studio_that_has_never_answered_is_replaced_by_events(setup: Setup, nobody: str) -> None:
    setup.save(hostname=nobody, access_token="t")
    reply = setup.run(Learner, annotated(1, 1), annotated(2, 5))
    assert reply == messages.Fitted(reply.job_id, 1)
    version = setup.version(1)
    assert version.train_output == {"tasks": [1, 5]}
    assert version.trained_on["source"] == "events"


def test_a_generation_2_job_needs_no_label_studio(setup: Setup, nobody: str) -> None:
    setup.save(hostname=nobody, access_token="t")
    setup.database.write(projects.reached, "1")
    assert isinstance(setup.run(Plain, annotated(1, 1)), messages.Fitted)
