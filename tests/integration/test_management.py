"""`label-studio-ml jobs …` and `versions …` beside a running server, as a person types them, and by its address."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.processes import wait_until
from tests.support.paths import BACKENDS
from tests.support.servers import ServerProcess, StartServer, run_command

CONFIG = '<View><Text name="text" value="$text"/></View>'
PROJECT = "7.1795402042"
SOURCE = BACKENDS / "trainer_generation2.py"


def said(*arguments: str | Path, **env: str) -> str:
    """What a command that works says."""
    done = run_command(*arguments, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def annotate(client: httpx.Client, number: int) -> str:
    """Task N gets its annotation N; the job that trains on it."""
    event = {
        "action": "ANNOTATION_CREATED",
        "annotation": {"id": number, "task": number, "result": []},
        "task": {"id": number, "data": {"text": "t"}},
        "project": {"id": 7, "label_config": CONFIG},
    }
    reply = client.post("/webhook", json=event)
    assert reply.status_code == 201
    job: str = reply.json()["job"]
    return job


def status(client: httpx.Client, job: str) -> str:
    found: str = client.post("/job_status", json={"job": job}).json()["job_status"]
    return found


def predict(client: httpx.Client) -> dict[str, Any]:
    body = {"tasks": [{"id": 1, "data": {"text": "x"}}], "project": PROJECT, "label_config": CONFIG}
    prediction: dict[str, Any] = client.post("/predict", json=body).json()["results"][0]
    return prediction


def trained(client: httpx.Client, count: int) -> list[str]:
    """Jobs that are over and whose versions serve."""
    wait_until(lambda: client.get("/health").json()["model"]["state"] == "ready", 60, "the model to be loaded")
    client.post("/setup", json={"project": PROJECT, "schema": CONFIG})
    made = [annotate(client, number) for number in range(1, count + 1)]
    wait_until(lambda: predict(client)["score"] == count / 100, 60, "all events to be trained")
    return made


def model_dir(server: ServerProcess) -> dict[str, str]:
    return {"MODEL_DIR": str(server.model_dir)}


def test_jobs_and_versions_of_a_running_server_are_looked_at_and_changed(start_server: StartServer) -> None:
    server = start_server(SOURCE)
    env = model_dir(server)
    with server.client() as client:
        jobs = trained(client, 2)
        listed = said("jobs", "list", SOURCE, **env).splitlines()[1:]
        assert [row.split()[:3] for row in listed] == [[job, "7", "finished"] for job in jobs[::-1]]
        assert "state         finished" in said("jobs", "show", jobs[0], SOURCE, **env)
        log = said("jobs", "logs", jobs[0], SOURCE, "-f", **env)
        assert f"Job {jobs[0]}: version 0001-" in log

        newest, first, untrained = said("versions", "list", SOURCE, **env).splitlines()[1:]
        assert (newest.split()[0], first.split()[1], untrained.split()[1]) == ("*", "1", "0")
        assert said("versions", "activate", "1", SOURCE, **env).startswith("Version 0001-")
        assert predict(client)["score"] == 0.01  # at once, not within a second
        assert "values.events" in said("versions", "diff", "1", "2", SOURCE, **env)
        said("versions", "delete", "2", SOURCE, **env)
        (left,) = (server.model_dir / "versions" / "7").iterdir()
        assert left.name.startswith(f"{jobs[0]}."), "the folder of the first job's one attempt"

        refused = run_command("versions", "delete", "1", SOURCE, env=env)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("Error: Version 0001-")
        assert "activate another first" in refused.stderr

        again = said("jobs", "retry", jobs[1], SOURCE, **env).split()[-1].rstrip(".")
        wait_until(lambda: predict(client)["score"] == 0.02, 60, "the job to be run again")
        assert status(client, again) == "finished"


def test_a_job_that_runs_is_cancelled_from_the_command_line(start_server: StartServer, tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    server = start_server(SOURCE, HOLD_FIT=str(hold))
    env = model_dir(server)
    with server.client() as client:
        trained(client, 1)
        before = predict(client)
        hold.touch()
        running, following = annotate(client, 2), annotate(client, 3)
        wait_until(lambda: status(client, running) == "started", 60, "the job to start")
        assert said("jobs", "cancel", running, SOURCE, **env) == f"Job {running} is being ended.\n"
        wait_until(lambda: status(client, following) == "started", 60, "the next job to start")
        assert status(client, running) == "cancelled"
        assert predict(client) == before
        said("jobs", "cancel", following, SOURCE, **env)
        wait_until(lambda: status(client, following) == "cancelled", 60, "the job to end")
    assert said("jobs", "list", SOURCE, **env).count("Cancelled.") == 2


def test_a_server_elsewhere_is_reached_by_its_address_with_the_password_and_not_without(
    start_server: StartServer,
) -> None:
    server = start_server(SOURCE, "--basic-auth-user", "label", "--basic-auth-pass", "studio")
    with server.client(("label", "studio")) as client:
        (job,) = trained(client, 1)
    password = ("--basic-auth-user", "label", "--basic-auth-pass", "studio")

    refused = run_command("jobs", "list", "--url", server.url)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "wants a user and a password" in refused.stderr
    wrong = run_command("versions", "list", "--url", server.url, *password[:3], "wrong")
    assert wrong.returncode == 2

    assert job in said("jobs", "list", "--url", server.url, *password)
    environment = {"BASIC_AUTH_USER": "label", "BASIC_AUTH_PASS": "studio"}
    assert job in said("jobs", "list", "--url", f"{server.url}/", **environment)
    shown = json.loads(said("versions", "show", "1", "--url", server.url, *password))
    assert (shown["project"], shown["active"]) == ("7", True)


def test_after_a_restart_and_on_a_stopped_server_everything_is_still_there(start_server: StartServer) -> None:
    server = start_server(SOURCE)
    env = model_dir(server)
    with server.client() as client:
        trained(client, 2)
    assert server.stop() == 0
    assert not (server.model_dir / "server.json").exists()
    stopped = said("versions", "list", SOURCE, **env)
    assert said("versions", "activate", "1", SOURCE, **env).startswith("Version 0001-")

    again = start_server(SOURCE)
    listed = said("versions", "list", "--url", again.url)
    assert len(listed.splitlines()) == len(stopped.splitlines()) == 4
    with again.client() as client:
        assert predict(client)["score"] == 0.01
    again.kill_family()  # it leaves word of an address where nobody is
    assert (again.model_dir / "server.json").exists()
    assert said("versions", "list", SOURCE, **env).splitlines()[2].startswith("*")


@pytest.mark.parametrize("duration", ["0.5s", "500"])
def test_a_time_may_be_given_with_or_without_its_unit(start_server: StartServer, duration: str) -> None:
    server = start_server(BACKENDS / "echo.py", "--trainer-idle", duration, "--train-debounce", "0")
    assert server.is_answering()


def test_a_fit_that_takes_too_long_is_ended_and_the_next_one_gets_a_fresh_process(
    start_server: StartServer, tmp_path: Path
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    server = start_server(SOURCE, "--fit-timeout", "2s", HOLD_FIT=str(hold))
    with server.client() as client:
        client.post("/setup", json={"project": PROJECT, "schema": CONFIG})
        wait_until(lambda: client.get("/health").json()["model"]["state"] == "ready", 60, "the model to be loaded")
        job = annotate(client, 1)
        wait_until(lambda: status(client, job) == "failed", 60, "the job to be ended")
        hold.unlink()
        following = annotate(client, 2)
        wait_until(lambda: status(client, following) == "finished", 60, "the next job to be finished")
    shown = said("jobs", "show", job, SOURCE, **model_dir(server))
    assert "fit() took longer than --fit-timeout (2 s) and was ended." in shown
