"""The environment of a model while Label Studio is played, and afterwards."""

from __future__ import annotations

import os

import pytest

from label_studio_ml.stage.environment import label_studio_environment


def test_the_environment_is_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://mine")
    monkeypatch.delenv("MODEL_DIR", raising=False)
    before = dict(os.environ)
    with label_studio_environment("http://stage", "token", "folder"):
        assert os.environ["LABEL_STUDIO_URL"] == "http://stage"
        assert os.environ["LABEL_STUDIO_API_KEY"] == "token"
        assert os.environ["MODEL_DIR"] == "folder"
        assert "127.0.0.1" in os.environ["NO_PROXY"].split(",")
    assert dict(os.environ) == before
