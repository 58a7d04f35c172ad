"""`label-studio-ml doctor` before backends that cannot be set up."""

from __future__ import annotations

import pytest

from label_studio_ml.doctor.findings import Status
from tests.support.doctor_findings import look, the_one
from tests.support.played_backend import Pretend, serving

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


def test_a_setup_without_a_version_is_found() -> None:
    with serving(Pretend(answers={"/setup": lambda _: {"status": "ok"}})) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.status) == ("setup", Status.PROBLEM)
    assert "names no model_version" in found.what
    assert 'self.set("model_version"' in found.fix


def test_a_slow_setup_is_found_with_the_time_it_takes() -> None:
    with serving(Pretend(slow={"/setup": 0.5})) as backend:
        found = the_one(look(backend.url, deadlines={"setup": 0.2}))
    assert "Label Studio gives up after 0.2 s and does not connect" in found.what
    assert "not in /setup" in found.fix


def test_a_setup_that_fails_is_shown_with_what_it_says() -> None:
    pretend = Pretend(answers={"/setup": lambda _: (503, {"error": "the weights are missing"})})
    with serving(pretend) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.status) == ("setup", Status.PROBLEM)
    assert "503: the weights are missing" in found.what


def test_a_setup_that_fails_with_a_made_up_config_asks_for_the_real_one() -> None:
    with serving(Pretend(answers={"/setup": lambda _: (500, {"error": "no <Image> here"})})) as backend:
        found = the_one(look(backend.url, config=""))
    assert found.status is Status.WARNING
    assert "--label-config FILE" in found.fix
