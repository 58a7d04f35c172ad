"""`label-studio-ml doctor` before addresses where nothing answers: why, and the right fix named."""

from __future__ import annotations

import ssl

import pytest
import trustme

from label_studio_ml.doctor.findings import Status
from scripts.processes import free_port
from tests.support.doctor_findings import look, the_one
from tests.support.played_backend import Pretend, serving

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


def test_where_nothing_listens_it_says_so_and_to_start_it() -> None:
    found = the_one(look(f"http://127.0.0.1:{free_port()}"))
    assert (found.check, found.status) == ("reachable", Status.PROBLEM)
    assert "connection refused" in found.what
    assert "Start the backend" in found.fix


def test_a_name_that_nobody_has_is_said_to_be_wrong() -> None:
    found = the_one(look("http://no-such-host.invalid:9090"))
    assert "host name 'no-such-host.invalid' cannot be resolved" in found.what
    assert "Correct the name" in found.fix


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
