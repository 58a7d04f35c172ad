"""`label-studio-ml test` with a project of a real Label Studio, and what it makes up shown to one."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import httpx
import pytest
from label_studio_sdk.label_interface import LabelInterface

from label_studio_ml.checks import configs
from label_studio_ml.stage import sample_files, samples
from scripts.label_studio import LabelStudio
from tests.support.paths import BACKENDS
from tests.support.servers import run_command

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]  # the first test may have to install Label Studio

OPENER = BACKENDS / "opener.py"
BOXES = (
    '<View><Image name="photo" value="$photo"/><RectangleLabels name="thing" toName="photo">'
    '<Label value="Bottle"/><Label value="Cup"/></RectangleLabels></View>'
)


def run_test(api: LabelStudio, project: int, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command for a project, to its end."""
    address = {"LABEL_STUDIO_URL": api.url, "LABEL_STUDIO_API_KEY": api.token}
    return run_command("test", OPENER, "--project", str(project), *options, env=address, timeout=300)


def try_out(api: LabelStudio, project: int, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit status and report of the command for a project."""
    found = run_test(api, project, "--json", *options)
    assert found.stdout, found.stderr
    return found.returncode, json.loads(found.stdout)


def upload(api: LabelStudio, project: int, name: str, content: bytes) -> None:
    """Import a file, as the dialog of the Data Manager does."""
    reply = httpx.post(
        f"{api.url}/api/projects/{project}/import",
        headers={"Authorization": f"Token {api.token}"},
        files={"file": (name, content)},
        timeout=60,
        trust_env=False,
    )
    assert reply.status_code == 201, reply.text


def test_config_tasks_and_media_come_from_a_project(label_studio: LabelStudio) -> None:
    project = label_studio.create_project("bottles", BOXES.replace("$photo", "$image"))
    for number in range(3):
        upload(label_studio, project, f"photo-{number}.png", sample_files.image(number))

    status, report = try_out(label_studio, project, "--tasks", "2", "--strict")

    checks = {check["name"]: check for check in report["checks"]}
    assert (status, report["ok"], report["tasks"]) == (0, True, 2), report
    assert report["label_config"] == f"project {project} (bottles) of {label_studio.url}"
    assert checks["Labeling config"]["summary"] == "RectangleLabels 'thing' on 'photo'"
    assert checks["Predict"]["summary"].startswith("2 of 2 tasks")
    assert checks["New version"]["outcome"] == "ok"
    tasks = label_studio.call("GET", f"/api/tasks?project={project}&fields=all")["tasks"]
    assert [task["total_annotations"] + task["total_predictions"] for task in tasks] == [0, 0, 0], (
        "nothing is stored"
    )


def test_a_project_without_tasks_is_tried_with_samples(label_studio: LabelStudio) -> None:
    project = label_studio.create_project("empty", BOXES)

    status, report = try_out(label_studio, project)

    assert (status, report["tasks"]) == (0, 4), report


def test_media_that_are_gone_are_found(label_studio: LabelStudio) -> None:
    project = label_studio.create_project("gone", BOXES)
    label_studio.import_tasks(project, [{"photo": "/data/upload/1/gone.png"}])

    status, report = try_out(label_studio, project, "--no-fit")

    (problem,) = report["checks"][3]["problems"]
    assert (status, problem["check"]) == (1, "Predict")
    assert problem["where"].startswith("opener.py, line ")


def test_a_project_that_is_not_there_is_said_to_be_missing(label_studio: LabelStudio) -> None:
    found = run_test(label_studio, 987654)
    assert found.returncode == 1
    assert "Label Studio did not give project 987654: it is not there, or the token may not see it." in found.stderr


@pytest.mark.parametrize("name", configs.templates())
def test_label_studio_takes_every_template_with_its_samples(label_studio: LabelStudio, name: str) -> None:
    xml = configs.template(name).xml
    interface = LabelInterface(config=xml)
    made = samples.tasks(interface, 2, lambda file, _content: f"/data/upload/1/{file}")
    project = label_studio.create_project(name, xml)
    tasks = label_studio.import_tasks(project, [task["data"] for task in made])
    results = [samples.annotation(interface, task, number)["result"] for number, task in enumerate(made)]

    label_studio.annotate(tasks[0], results[0])
    predictions = [{"task": task, "result": result} for task, result in zip(tasks, results, strict=True)]
    label_studio.call("POST", f"/api/projects/{project}/import/predictions", predictions)

    stored = label_studio.predictions(project)
    assert sorted(one["task"] for one in stored) == tasks
    assert all(one["result"] for one in stored)
