"""What lies round the handlers: nothing that people may tell a server is open to everyone."""

from __future__ import annotations

from pathlib import Path

import pytest

from label_studio_ml.api import init_app
from tests.support.managed_backend import Learner

CALLS = [
    ("GET", "/jobs"),
    ("GET", "/jobs/x"),
    ("GET", "/jobs/x/log"),
    ("POST", "/jobs/x/cancel"),
    ("POST", "/jobs/x/retry"),
    ("GET", "/projects"),
    ("GET", "/projects/7/versions"),
    ("POST", "/projects/7/show"),
    ("POST", "/projects/7/activate"),
    ("POST", "/projects/7/remove"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_none_of_it_is_open_to_those_without_the_password(tmp_path: Path, method: str, path: str) -> None:
    app = init_app(Learner, "user", "pass", model_dir=str(tmp_path))
    with app.test_client() as client:
        body = {"version": "1"} if method == "POST" else None
        assert client.open(path, method=method, json=body).status_code == 401
        assert client.open(path, method=method, json=body, auth=("user", "wrong")).status_code == 401
        assert client.open(path, method=method, json=body, auth=("user", "pass")).status_code in (200, 404)


def test_the_secret_of_webhooks_does_not_open_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_ML_WEBHOOK_SECRET", "hook")
    with init_app(Learner, "user", "pass", model_dir=str(tmp_path)).test_client() as client:
        for method, path in CALLS:
            assert client.open(path, method=method, headers={"X-Webhook-Secret": "hook"}).status_code == 401
