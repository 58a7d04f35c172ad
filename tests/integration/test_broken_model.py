"""A model that breaks after the server has started: the server stays, says why, and tries again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.processes import wait_until
from tests.support.paths import BACKENDS
from tests.support.servers import StartServer

CONFIG = '<View><Text name="text" value="$text"/></View>'
SETUP = {"project": "7.1795402042", "schema": CONFIG}
PREDICT: dict[str, Any] = {
    "tasks": [{"id": 1, "data": {"text": "x"}}],
    "project": "7.1795402042",
    "label_config": CONFIG,
}


def test_health_tells_why_the_model_is_broken_and_setup_tries_again(
    start_server: StartServer, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    server = start_server(BACKENDS / "fragile.py", BROKEN=str(broken))
    with server.client() as client:
        broken.touch()

        failed = client.post("/predict", json=PREDICT)

        assert failed.is_error
        assert "Traceback" not in failed.text
        health = client.get("/health")
        assert health.status_code == 200
        assert "the weights are missing" in health.text
        assert health.json()["status"] == "UP"

        broken.unlink()
        client.post("/setup", json=SETUP)

        wait_until(lambda: client.post("/predict", json=PREDICT).is_success, 30, "a prediction of the mended model")
        assert client.get("/health").json()["model"] == {"state": "ready"}
