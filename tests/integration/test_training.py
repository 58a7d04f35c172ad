"""From events to a version and the predictions of it, with real processes and a real store on disk."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.processes import wait_until
from tests.support.paths import BACKENDS
from tests.support.servers import StartServer

CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="sentiment" toName="text"><Choice value="Positive"/><Choice value="Negative"/></Choices>'
    "</View>"
)
PROJECT = "7.1795402042"
NO_REGIONS: list[Any] = []


def setup(client: httpx.Client) -> str:
    version: str = client.post("/setup", json={"project": PROJECT, "schema": CONFIG}).json()["model_version"]
    return version


def predict(client: httpx.Client) -> dict[str, Any]:
    task = {"id": 99, "data": {"text": "new"}}
    body = {"tasks": [task], "project": PROJECT, "label_config": CONFIG}
    prediction: dict[str, Any] = client.post("/predict", json=body).json()["results"][0]
    return prediction


def annotated(task: int, annotation: int) -> dict[str, Any]:
    """The ANNOTATION_CREATED event for one annotation."""
    return {
        "action": "ANNOTATION_CREATED",
        "annotation": {"id": annotation, "task": task, "result": [], "was_cancelled": False},
        "task": {"id": task, "data": {"text": f"text {task}"}},
        "project": {"id": 7, "label_config": CONFIG},
    }


@pytest.mark.parametrize("generation", ["1", "2"])
def test_events_become_a_version_that_everything_agrees_on(start_server: StartServer, generation: str) -> None:
    server = start_server(BACKENDS / f"trainer_generation{generation}.py")
    with server.client() as client:
        before = setup(client)
        assert predict(client)["score"] == 0

        for number in (1, 2, 3):
            reply = client.post("/webhook", json=annotated(task=number, annotation=number))
            assert reply.status_code == 201

        prediction = wait_until(
            lambda: answer if (answer := predict(client))["score"] == 0.03 else None,
            60,
            "predictions of a version trained from the three events",
        )
        after = setup(client)
        versions = client.get("/versions").json()["versions"]

    assert after != before
    assert prediction["model_version"] == after
    assert versions[0] == after
    assert server.exit_code is None


def test_a_training_asked_for_with_its_data_can_be_followed_to_its_end(start_server: StartServer) -> None:
    server = start_server(BACKENDS / "trainer_generation1.py")
    whole_set = [{"id": n, "data": {"text": "t"}, "annotations": [{"id": n, "result": NO_REGIONS}]} for n in (1, 2)]
    with server.client() as client:
        setup(client)
        reply = client.post("/train", json={"annotations": whole_set, "project": PROJECT, "label_config": CONFIG})
        assert reply.status_code == 201
        job = {"job": reply.json()["job"]}

        wait_until(
            lambda: client.post("/job_status", json=job).json()["job_status"] == "finished",
            60,
            "the job to be finished",
        )

        assert client.get("/is_training", params={"project": PROJECT}).json()["is_training"] is False
        assert predict(client)["score"] == 0.02


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux can keep a process to some cores")
@pytest.mark.parametrize("cores", [None, 1, 1000])
def test_the_trainer_stands_back_from_the_import_of_the_class_on(
    start_server: StartServer, cores: int | None
) -> None:
    everything = len(os.sched_getaffinity(0))
    expected = max(everything - 1, 1) if cores is None else min(cores, everything)
    given = [] if cores is None else ["--trainer-cores", str(cores)]
    server = start_server(BACKENDS / "measured_trainer.py", "--trainer-nice", "7", *given)
    with server.client() as client:
        wait_until(lambda: client.get("/health").json()["model"]["state"] == "ready", 60, "the model to be ready")
        setup(client)
        job = client.post("/webhook", json=annotated(task=1, annotation=1)).json()["job"]
        status = wait_until(
            lambda: (
                found if (found := client.post("/job_status", json={"job": job}).json()).get("metrics") else None
            ),
            60,
            "the metrics of the job",
        )

    nice = os.nice(0) + 7
    assert status["metrics"] == {
        "cores": expected,
        "cores_at_import": expected,
        "nice": nice,
        "nice_at_import": nice,
    }


def test_an_unknown_job_is_gone(start_server: StartServer) -> None:
    server = start_server(BACKENDS / "echo.py")
    with server.client() as client:
        reply = client.post("/job_status", json={"job": "no-such-job"})

    assert reply.status_code == 410


def test_no_acknowledged_event_is_lost_when_everything_is_killed(start_server: StartServer, tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    server = start_server(BACKENDS / "trainer_generation2.py", HOLD_FIT=str(hold))
    with server.client() as client:
        setup(client)
        for number in (1, 2, 3):
            assert client.post("/webhook", json=annotated(task=number, annotation=number)).status_code == 201
        server.kill_family()
    hold.unlink()

    again = start_server(BACKENDS / "trainer_generation2.py", HOLD_FIT=str(hold))
    with again.client() as client:
        wait_until(lambda: predict(client)["score"] == 0.03, 90, "the three events to be trained after the restart")


def test_what_was_learned_is_still_known_after_a_restart(start_server: StartServer) -> None:
    server = start_server(BACKENDS / "trainer_generation1.py")
    with server.client() as client:
        setup(client)
        client.post("/webhook", json=annotated(task=1, annotation=1))
        wait_until(lambda: predict(client)["score"] == 0.01, 60, "the event to be trained")
        learned = setup(client)
    assert server.stop() == 0

    again = start_server(BACKENDS / "trainer_generation1.py")
    with again.client() as client:
        assert setup(client) == learned
        assert predict(client) == {"result": [], "score": 0.01, "model_version": learned}


def test_a_project_that_learned_changes_nothing_for_another(start_server: StartServer) -> None:
    server = start_server(BACKENDS / "trainer_generation1.py")
    other = {"tasks": [{"id": 1, "data": {"text": "x"}}], "project": "8.1795402042", "label_config": CONFIG}
    with server.client() as client:
        setup(client)
        client.post("/webhook", json=annotated(task=1, annotation=1))
        wait_until(lambda: predict(client)["score"] == 0.01, 60, "the event to be trained")

        assert client.post("/predict", json=other).json()["results"][0]["score"] == 0
