"""`label-studio-ml doctor` before backends that want a user and a password."""

from __future__ import annotations

import pytest

from label_studio_ml.doctor.findings import Status
from tests.support.doctor_findings import LOCKED, look, the_one
from tests.support.played_backend import Pretend, serving

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


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
