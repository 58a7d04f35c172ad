"""Request bodies that are made here have exactly what recorded ones have."""

from __future__ import annotations

import json
from typing import Any

import pytest
from label_studio_sdk._extensions.label_studio_tools.core.label_config import parse_config

from label_studio_ml.wire import bodies, records, requests
from tests.support.paths import RECORDINGS

Json = dict[str, Any]
REGION = {"id": "r", "from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": ["A"]}}
COMPUTED = {"control_weights", "data_types", "parsed_label_config"}
"""Parts of a project that Label Studio makes of its labeling config."""


def recorded(number: int) -> Json:
    (file,) = RECORDINGS.glob(f"{number:02d}-*.json")
    body: Json = json.loads(file.read_text())["body"]
    return body


def shape(value: Any) -> Any:
    """The names in JSON, without what they stand for."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items() if name not in COMPUTED}
    return [shape(part) for part in value] if isinstance(value, list) else ""


def task(body: Json, number: int = 0) -> Json:
    """The task of a recorded request, made anew."""
    real = body["tasks"][number] if "tasks" in body else body["task"]
    return records.task(real["id"], real["data"], real["project"])


def project(body: Json) -> Json:
    real = body["project"]
    return records.project(real["id"], real["label_config"], real["title"], real.get("parsed_label_config"))


def annotation(body: Json) -> Json:
    real = body["annotation"]
    return records.annotation(real["id"], task(body), real["result"], skipped=real["was_cancelled"])


def deleted(body: Json, kind: str) -> list[int]:
    return [one["id"] for one in body[kind]]


REMADE = {
    2: lambda body: bodies.setup(
        body["project"], body["schema"], body["hostname"], body["access_token"], body["extra_params"]
    ),
    3: lambda body: bodies.predict([task(body)], body["project"], body["label_config"]),
    4: lambda body: bodies.predict([task(body), task(body, 1)], body["project"], body["label_config"]),
    6: lambda body: bodies.annotation_created(annotation(body), task(body), project(body)),
    7: lambda body: bodies.annotation_updated(annotation(body), task(body), project(body)),
    8: lambda body: bodies.annotation_created(annotation(body), task(body), project(body)),
    9: lambda body: bodies.annotations_deleted(deleted(body, "annotations"), project(body)),
    10: lambda body: bodies.start_training(project(body)),
    12: lambda body: bodies.project_updated(project(body)),
    13: lambda body: bodies.tasks_created([task(body)], project(body)),
    15: lambda body: bodies.tasks_deleted(deleted(body, "tasks"), project(body)),
}


@pytest.mark.parametrize("number", REMADE)
def test_a_body_has_the_fields_of_the_recorded_one_and_no_others(number: int) -> None:
    real = recorded(number)
    made = REMADE[number](real)
    assert shape(made) == shape(real)
    for part in ("action", "label_config", "schema", "params", "extra_params"):
        assert made.get(part) == real.get(part)


@pytest.mark.parametrize("number", [3, 6, 8])
def test_values_that_models_look_at_are_the_recorded_ones(number: int) -> None:
    real, made = recorded(number), REMADE[number](recorded(number))
    looked_at = {"id", "task", "project", "result", "result_count", "was_cancelled", "prediction"}
    if number == 3:
        real, made, looked_at = real["tasks"][0], made["tasks"][0], {"id", "data", "project", "annotations"}
    else:
        real, made = real["annotation"], made["annotation"]
    assert {name: made[name] for name in looked_at} == {name: real[name] for name in looked_at}


def test_an_interactive_call_carries_its_context() -> None:
    real = recorded(5)
    made = bodies.predict([task(real)], real["project"], real["label_config"], real["params"]["context"])
    assert made["params"] == real["params"]


def test_a_parsed_labeling_config_is_the_recorded_one() -> None:
    real = recorded(6)["project"]
    assert parse_config(real["label_config"]) == real["parsed_label_config"]
    assert project(recorded(6))["parsed_label_config"] == real["parsed_label_config"]


def test_the_server_reads_what_older_versions_send() -> None:
    whole = records.annotated(records.task(7, {"text": "a"}), records.annotation(1, {"id": 7}, [REGION]))
    body = bodies.train([whole], "2.1795402042", "<View/>")
    message = requests.decode(json.dumps(body).encode(), requests.TrainRequest)
    assert message.annotations[0] == whole
    assert requests.decode(json.dumps(bodies.delete("2.1")).encode(), requests.ProjectRequest).project == "2.1"


def test_a_task_with_its_annotation_counts_it() -> None:
    one = records.task(7, {"text": "a"})
    done = records.annotated(one, records.annotation(1, one, [REGION]))
    skipped = records.annotated(one, records.annotation(1, one, [], skipped=True))
    assert [(found["total_annotations"], found["cancelled_annotations"]) for found in (done, skipped)] == [
        (1, 0),
        (0, 1),
    ]
