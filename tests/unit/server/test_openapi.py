"""The OpenAPI document describes what the server takes and answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from label_studio_ml import __version__
from label_studio_ml.server.app import OPERATIONS
from label_studio_ml.server.openapi import document
from tests.support.paths import RECORDINGS

REQUESTS = sorted(RECORDINGS.glob("*.json"))


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(document(OPERATIONS)))
    return made


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def resolve(described: dict[str, Any], reference: str) -> Any:
    found: Any = described
    assert reference.startswith("#/")
    for step in reference[2:].split("/"):
        found = found[step]
    return found


def test_every_call_is_described_and_nothing_else(described: dict[str, Any]) -> None:
    answered = {(operation.path, operation.method.lower()) for operation in OPERATIONS}
    assert {(path, method) for path, calls in described["paths"].items() for method in calls} == answered
    assert {("/predict", "post"), ("/health", "get"), ("/jobs/{job}", "get")} < answered


def test_replies_have_no_keys_that_are_not_described(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    for operation in OPERATIONS:
        if operation.answer is not None:
            assert schemas[operation.answer.__name__]["additionalProperties"] is False
    for name in ("Failure", "LastProblem", "ModelHealth", "StoreHealth", "ServedProject"):
        assert schemas[name]["additionalProperties"] is False
    assert {"train_events", "webhook_events"} <= set(schemas["State"]["properties"])
    assert {"reason", "control"} <= set(schemas["LastProblem"]["properties"])
    assert "error_detail" in schemas["JobDetails"]["properties"]


def test_every_reference_resolves(described: dict[str, Any]) -> None:
    found = set(references(described))
    assert found
    for reference in found:
        assert isinstance(resolve(described, reference), dict)
    assert set(described["components"]["schemas"]) == {reference.rpartition("/")[2] for reference in found}


def test_the_document_has_what_openapi_3_1_asks_for(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1")
    assert described["info"] == {"title": described["info"]["title"], "version": __version__}
    for path, calls in described["paths"].items():
        assert path.startswith("/")
        for call in calls.values():
            assert call["summary"].endswith(".")
            assert all(status.isdigit() and reply["description"] for status, reply in call["responses"].items())
            assert {"200", "201"} & set(call["responses"])
    schemes = set(described["components"]["securitySchemes"])
    assert all(set(needed) <= schemes for needed in described["security"])


def test_every_call_has_a_name_of_its_own(described: dict[str, Any]) -> None:
    names = [call["operationId"] for calls in described["paths"].values() for call in calls.values()]
    assert len(set(names)) == len(names)


def test_only_health_is_open_to_all(described: dict[str, Any]) -> None:
    for path, calls in described["paths"].items():
        for call in calls.values():
            assert (call.get("security") == []) == (path == "/health")
            assert ("401" in call["responses"]) == (path != "/health")


def test_calls_with_a_body_say_how_it_may_be_refused(described: dict[str, Any]) -> None:
    for calls in described["paths"].values():
        for call in calls.values():
            if "requestBody" in call:
                assert call["requestBody"]["required"]
                assert {"400", "413", "503"} <= set(call["responses"])


def test_schemas_are_json_schema(described: dict[str, Any]) -> None:
    for schema in described["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("file", REQUESTS, ids=lambda file: file.stem)
def test_what_label_studio_sends_is_what_the_document_describes(described: dict[str, Any], file: Path) -> None:
    call = json.loads(file.read_text())
    entry = described["paths"][call["path"]][call["method"].lower()]
    if call["body"] is None:
        assert "requestBody" not in entry
        return
    schema = entry["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.validate(call["body"], {**schema, "components": described["components"]})


def test_fields_that_are_missing_are_required_by_the_document_too(described: dict[str, Any]) -> None:
    schema = described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    with pytest.raises(jsonschema.ValidationError, match="'tasks' is a required property"):
        jsonschema.validate({}, {**schema, "components": described["components"]})
