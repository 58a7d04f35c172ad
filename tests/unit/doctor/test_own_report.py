"""`label-studio-ml doctor` before a server that says what troubles it."""

from __future__ import annotations

import pytest

from tests.support.doctor_findings import bad, look
from tests.support.played_backend import Pretend, serving

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


def test_a_failed_store_and_model_and_training_are_told() -> None:
    health = {
        "status": "UP",
        "model": {"state": "failed", "error": "No module named 'torch'"},
        "store": {"state": "failed", "error": "disk full"},
        "problems": [{"project": "3", "task": "9", "message": "no such file"}],
        "model_dir": "/data",
    }
    jobs = {"jobs": [{"job": "j2", "state": "failed", "error": "no labels"}, {"job": "j1", "state": "finished"}]}
    with serving(Pretend(answers={"/health": lambda _: health, "/jobs": lambda _: jobs})) as backend:
        found = {one.check: one for one in bad(look(backend.url))}
    assert set(found) == {"model", "store", "lately", "training"}
    assert "No module named 'torch'" in found["model"].what
    assert "/data" in found["store"].fix
    assert "no such file (project 3)" in found["lately"].what
    assert "label-studio-ml jobs retry j2" in found["training"].fix
