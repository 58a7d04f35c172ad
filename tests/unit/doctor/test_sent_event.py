"""`label-studio-ml doctor` before backends that mistreat events."""

from __future__ import annotations

import pytest

from label_studio_ml.doctor.findings import Status
from tests.support.doctor_findings import LOCKED, look, the_one
from tests.support.played_backend import Pretend, serving

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


def test_a_slow_webhook_is_found_because_events_are_dropped() -> None:
    with serving(Pretend(slow={"/webhook": 0.5})) as backend:
        found = the_one(look(backend.url, deadlines={"webhook": 0.2}))
    assert (found.check, found.status) == ("webhook", Status.PROBLEM)
    assert "drops the event for good" in found.what
    assert "Do not train inside the webhook" in found.fix


def test_a_failing_webhook_is_found() -> None:
    with serving(Pretend(answers={"/webhook": lambda _: (500, "Internal Server Error")})) as backend:
        found = the_one(look(backend.url))
    assert "the event is lost" in found.what
    assert "500: Internal Server Error" in found.what


def test_a_webhook_that_wants_credentials_names_the_command_that_installs_them() -> None:
    with serving(Pretend(**LOCKED)) as backend:
        found = the_one(look(backend.url, user="label", password="studio"))
        assert (found.check, found.status) == ("webhook", Status.PROBLEM)
        assert "--webhook-secret SECRET" in found.fix
        assert f"label-studio-ml connect {backend.url}" in found.fix
