"""Requests made up from our OpenAPI document, right ones and wrong ones: replies are what it says, never a fault.

The tests of this file run in the order in which they stand: what one stores the next may find.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from label_studio_ml.server.app import OPERATIONS
from label_studio_ml.server.openapi import document
from scripts.processes import wait_until
from tests.support.paths import BACKENDS
from tests.support.servers import ServerProcess, servers

LOGIN = ("label", "studio-pass")
CHECKS: list[Any] = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.ignored_auth,
]
DOCUMENT = document(OPERATIONS)
CALLS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with servers(tmp_path_factory.mktemp("contract")) as start:
        options = ("--basic-auth-user", LOGIN[0], "--basic-auth-pass", LOGIN[1], "--max-body-size", "1MB")
        yield start(BACKENDS / "trainer_generation2.py", *options)


@pytest.fixture(scope="module")
def job(server: ServerProcess) -> str:
    """A project that has been trained: its id is 7, its version's number 1. The id of the job."""
    with server.client(LOGIN) as client:
        wait_until(lambda: client.get("/health").json()["model"]["state"] == "ready", 60, "the model to be ready")
        setup = client.post("/setup", json={"project": "7.1", "schema": "<View/>", "access_token": "t" * 40})
        assert setup.status_code == 200
        event = {
            "action": "ANNOTATION_CREATED",
            "project": {"id": 7},
            "annotation": {"id": 1, "task": 1, "result": []},
        }
        made: str = client.post("/webhook", json=event).json()["job"]

        def served() -> bool:
            return not client.get("/is_training?project=7").json()["is_training"]

        wait_until(served, 90, "the training to be over and its version to serve")
    return made


def operation_of(server: ServerProcess, path: str, method: str) -> Any:
    described = schemathesis.openapi.from_dict(DOCUMENT)
    described.config.update(base_url=server.url)
    return described[path][method]


def test_the_document_served_is_the_one_tested(server: ServerProcess) -> None:
    with server.client(LOGIN) as client:
        assert client.get("/openapi.json").json() == DOCUMENT


CONFIG = '<View><Text name="t" value="$t"/></View>'


@pytest.mark.parametrize(
    ("path", "method", "sent", "status"),
    [
        ("/", "get", {}, 200),
        ("/", "get", {"headers": {"Accept": "text/html"}}, 200),
        ("/setup", "post", {"body": {"project": "7.1", "schema": CONFIG}}, 200),
        ("/predict", "post", {"body": {"tasks": [{"id": 1, "data": {}}], "project": "7.1"}}, 200),
        ("/webhook", "post", {"body": {"action": "PROJECT_UPDATED", "project": {"id": 7}}}, 201),
        ("/job_status", "post", {"body": {"job": "JOB"}}, 200),
        ("/job_status", "post", {"body": {"job": "none"}}, 410),
        ("/is_training", "get", {"query": {"project": "7"}}, 200),
        ("/versions", "get", {}, 200),
        ("/versions", "post", {"body": {"project": 7}}, 200),
        ("/duplicate_model", "post", {"body": {"project_src": "7", "project_dst": "8"}}, 200),
        ("/validate", "post", {"body": {"config": CONFIG}}, 200),
        ("/jobs", "get", {}, 200),
        ("/jobs/{job}", "get", {"path_parameters": {"job": "JOB"}}, 200),
        ("/jobs/{job}/log", "get", {"path_parameters": {"job": "JOB"}}, 200),
        ("/jobs/{job}/log", "get", {"path_parameters": {"job": "JOB"}, "query": {"offset": "5"}}, 200),
        ("/jobs/{job}/log", "get", {"path_parameters": {"job": "JOB"}, "query": {"offset": "9" * 5000}}, 400),
        ("/jobs/{job}/log", "get", {"path_parameters": {"job": "JOB"}, "query": {"offset": "\u00b2"}}, 400),
        ("/jobs/{job}/cancel", "post", {"path_parameters": {"job": "JOB"}}, 200),
        ("/projects", "get", {}, 200),
        ("/projects/{project}/versions", "get", {"path_parameters": {"project": "7"}}, 200),
        ("/projects/{project}/show", "post", {"path_parameters": {"project": "7"}, "body": {"version": "1"}}, 200),
        ("/projects/{project}/show", "post", {"path_parameters": {"project": "7"}, "body": {"version": "x"}}, 404),
        (
            "/projects/{project}/activate",
            "post",
            {"path_parameters": {"project": "7"}, "body": {"version": "1"}},
            200,
        ),
        (
            "/projects/{project}/remove",
            "post",
            {"path_parameters": {"project": "7"}, "body": {"version": "1"}},
            400,
        ),
        ("/delete", "post", {"body": {"project": "8"}}, 200),
        ("/jobs/{job}/retry", "post", {"path_parameters": {"job": "JOB"}}, 200),
    ],
    ids=lambda value: str(value)[:50],
)
def test_replies_about_what_exists_are_what_the_document_says(
    server: ServerProcess, job: str, path: str, method: str, sent: dict[str, Any], status: int
) -> None:
    sent = {part: _with(job, value) for part, value in sent.items()}
    if "body" in sent:
        sent["media_type"] = "application/json"
    case = operation_of(server, path, method).Case(**sent)
    assert case.call_and_validate(auth=LOGIN, checks=CHECKS, timeout=60).status_code == status


def _with(job: str, values: dict[str, Any]) -> dict[str, Any]:
    return {name: job if value == "JOB" else value for name, value in values.items()}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("path", "method"), CALLS, ids=str)
def test_every_reply_is_what_the_document_says(
    server: ServerProcess, path: str, method: str, mode: GenerationMode
) -> None:
    operation = operation_of(server, path, method)
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query or operation.path_parameters):
        pytest.skip("a call without parameters cannot be made wrong")

    @settings(
        max_examples=25,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(mode))
    def ask(case: Any) -> None:
        case.call_and_validate(auth=LOGIN, checks=CHECKS, timeout=30)

    ask()
    assert "Traceback" not in server.log
