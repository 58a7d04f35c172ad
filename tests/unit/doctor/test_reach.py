"""`label-studio-ml doctor` before addresses where no healthy backend answers: which, and the right fix named."""

from __future__ import annotations

import socket
import ssl

import pytest
import trustme

from label_studio_ml.doctor.findings import Status
from scripts.processes import free_port
from tests.support.doctor_findings import LOCKED, bad, look, the_one
from tests.support.played_backend import Pretend, serving

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


# --- not reached --------------------------------------------------------------------------------------------


def test_where_nothing_listens_it_says_so_and_to_start_it() -> None:
    found = the_one(look(f"http://127.0.0.1:{free_port()}"))
    assert (found.check, found.status) == ("reachable", Status.PROBLEM)
    assert "connection refused" in found.what
    assert "Start the backend" in found.fix


def test_a_name_that_nobody_has_is_said_to_be_wrong() -> None:
    found = the_one(look("http://no-such-host.invalid:9090"))
    assert "host name 'no-such-host.invalid' cannot be resolved" in found.what
    assert "Correct the name" in found.fix


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


def test_https_where_the_server_speaks_http_names_the_other_address() -> None:
    with serving(Pretend()) as backend:
        found = the_one(look(backend.url.replace("http://", "https://")))
        assert "does not speak TLS" in found.what
        assert f"Write {backend.url} instead" in found.fix


def test_http_where_the_server_speaks_tls_names_the_other_address() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    with serving(Pretend(), tls) as backend:
        found = the_one(look(backend.url.replace("https://", "http://")))
        assert found.check == "reachable"
        assert f"If it speaks TLS, write {backend.url}" in found.fix


def test_a_certificate_that_nobody_trusts_is_named() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    with serving(Pretend(), tls) as backend:
        found = the_one(look(backend.url))
    assert "is not trusted" in found.what
    assert "known authority" in found.fix


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


# --- health and sign-in -------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("open_paths", [{"/health"}, set()], ids=["all but health locked", "all locked"])
def test_a_missing_password_is_asked_for(open_paths: set[str]) -> None:
    with serving(Pretend(**LOCKED, open_paths=open_paths)) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.what) == ("sign-in", "The backend wants a user and a password.")
    assert "--basic-auth-user and --basic-auth-pass" in found.fix
    assert "label-studio-ml connect" in found.fix


@pytest.mark.parametrize("open_paths", [{"/health"}, set()], ids=["all but health locked", "all locked"])
def test_a_wrong_password_is_told_from_a_missing_one(open_paths: set[str]) -> None:
    with serving(Pretend(**LOCKED, open_paths=open_paths)) as backend:
        found = the_one(look(backend.url, user="label", password="wrong"))
    assert (found.check, found.what) == ("sign-in", "The backend refuses this user and password.")
    assert "BASIC_AUTH_USER" in found.fix


def test_a_password_that_nobody_asks_for_is_a_warning() -> None:
    with serving(Pretend()) as backend:
        found = the_one(look(backend.url, user="label", password="studio"))
    assert (found.check, found.status) == ("sign-in", Status.WARNING)
    assert "Start it with --basic-auth-user" in found.fix
