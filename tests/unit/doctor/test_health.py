"""`label-studio-ml doctor` before addresses where no healthy backend answers, and the right fix named."""

from __future__ import annotations

import socket

import pytest

from label_studio_ml.doctor.findings import Status
from tests.support.doctor_findings import bad, look, the_one
from tests.support.played_backend import Pretend, serving

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


def test_a_server_that_never_answers_is_told_from_a_slow_one() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("label_studio_ml.doctor.health.PATIENCE", 0.2)
            found = the_one(look(url, deadlines={"health": 0.1}))
    assert "did not answer within 0.1 s" in found.what
    assert "firewall" in found.fix


@pytest.mark.parametrize("path", ["/health", "/predict", "/some/where"])
def test_a_path_too_much_is_taken_away(path: str) -> None:
    with serving(Pretend(missing={f"{path}/health", f"{path.rpartition('/')[0]}/health"} - {"/health"})) as backend:
        found = the_one(look(backend.url + path))
        assert found.check == "reachable"
        assert f"Use the address {backend.url}." in found.fix


def test_a_path_too_little_is_asked_for() -> None:
    with serving(Pretend(prefix="/my-model")) as backend:
        found = the_one(look(backend.url))
        assert "has no /health" in found.what
        assert "the path that a proxy puts before" in found.fix
        assert bad(look(f"{backend.url}/my-model")) == []


def test_a_redirect_is_named_with_where_it_goes() -> None:
    with serving(Pretend(redirect="https://elsewhere.example")) as backend:
        found = the_one(look(backend.url))
    assert "redirects to https://elsewhere.example" in found.what
    assert found.fix == "Give Label Studio the address https://elsewhere.example."


def test_a_slow_health_call_is_found_with_the_time_it_takes() -> None:
    with serving(Pretend(slow={"/health": 0.5})) as backend:
        found = the_one(look(backend.url, deadlines={"health": 0.2}))
    assert (found.check, found.status) == ("health", Status.PROBLEM)
    assert "Label Studio gives up after 0.2 s" in found.what
    assert "at once" in found.fix


def test_a_health_call_that_is_not_json_is_something_else_than_a_backend() -> None:
    with serving(Pretend(answers={"/health": lambda _: "<html>Welcome</html>"})) as backend:
        found = the_one(look(backend.url))
    assert "an HTML page, not with JSON" in found.what
    assert "address of the backend itself" in found.fix


def test_a_health_call_that_fails_is_shown_with_what_it_says() -> None:
    with serving(Pretend(answers={"/health": lambda _: (502, "Bad gateway")})) as backend:
        found = the_one(look(backend.url))
    assert "502: Bad gateway" in found.what
    assert "proxy" in found.fix
