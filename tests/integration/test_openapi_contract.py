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

from label_studio_ml import settings as our_settings
from label_studio_ml.backend.source import Source
from label_studio_ml.web.app import Server
from label_studio_ml.web.openapi import document
from tests.processes import BACKENDS, ServerProcess, servers

LOGIN = ("label", "studio-pass")
CHECKS: list[Any] = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.ignored_auth,
]
DOCUMENT = document([operation for operation, _ in Server(our_settings.load({}), Source("x.py", None, {})).operations])
CALLS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with servers(tmp_path_factory.mktemp("contract")) as start:
        options = ("--basic-auth-user", LOGIN[0], "--basic-auth-pass", LOGIN[1], "--max-body-size", "1MB")
        yield start(BACKENDS / "trainer_generation2.py", *options)


def test_the_document_served_is_the_one_tested(server: ServerProcess) -> None:
    with server.client(LOGIN) as client:
        assert client.get("/openapi.json").json() == DOCUMENT


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("path", "method"), CALLS, ids=str)
def test_every_reply_is_what_the_document_says(
    server: ServerProcess, path: str, method: str, mode: GenerationMode
) -> None:
    described = schemathesis.openapi.from_dict(DOCUMENT)
    described.config.update(base_url=server.url)
    operation = described[path][method]
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
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(auth=LOGIN, checks=CHECKS, timeout=30)

    ask()
    assert "Traceback" not in server.log
