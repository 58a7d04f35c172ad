"""A real Label Studio that protects itself from local addresses: `connect` and `doctor` say so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from label_studio_ml.label_studio.project import LabelStudioApi
from scripts.label_studio import LabelStudio, LabelStudioServer, cached_venv, install
from scripts.processes import free_port
from tests.support.label_studio_commands import examined, make, ready, refused, seen
from tests.support.sentiment_project import KEYWORDS
from tests.support.servers import StartServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudio]:
    """Label Studio as it is without the two settings that let local addresses in."""
    install(cached_venv())
    folder = tmp_path_factory.mktemp("protected")
    server = LabelStudioServer(
        cached_venv(),
        folder / "data",
        free_port(),
        folder / "label-studio.log",
        environment={"ML_BLOCK_LOCAL_IP": "true", "SSRF_PROTECTION_ENABLED": "true"},
    )
    try:
        server.wait_ready()
        yield server.api
    finally:
        server.stop()


def test_the_protection_against_local_addresses_is_named_with_the_two_settings(
    protected: LabelStudio, start_server: StartServer
) -> None:
    server = ready(start_server(KEYWORDS))
    project, _ = make(protected)
    settings = "ML_BLOCK_LOCAL_IP=false SSRF_PROTECTION_ENABLED=false"

    said = refused(protected, server.url, project)
    assert f"protects itself from local addresses and refuses {server.url}" in said
    assert settings in said
    found = examined(protected, server.url, project)["address"]
    assert (found["status"], settings in found["fix"]) == ("problem", True)
    assert "URL resolves to a reserved network address" in found["what"]
    with contextlib.closing(LabelStudioApi(protected.url, protected.token)) as api:
        assert "reserved network address" in api.webhook_address_refused(project, f"{server.url}/webhook")
        assert api.webhook_address_refused(project, "https://1.1.1.1/webhook") == ""
    assert seen(protected, project)[:2] == ([], [])
