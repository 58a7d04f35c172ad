"""Folders of versions: which folder is whose, whatever a project is called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_studio_ml.train.cleanup import project_folder

MODEL_DIR = Path("/model")
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(ANY, ANY)
def test_a_project_has_a_folder_of_its_own_below_versions_whatever_it_is_called(one: str, other: str) -> None:
    folder = project_folder(MODEL_DIR, one)
    assert os.path.normpath(folder) == str(folder)
    assert folder.parent == MODEL_DIR / "versions"
    assert len(os.fsencode(folder.name)) <= 255
    assert (folder == project_folder(MODEL_DIR, other)) == (one == other)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/etc", "a/b", "a\\b", "%2e%2e", "👩" * 200, "a" * 200])
def test_odd_names_lead_nowhere_else(name: str) -> None:
    assert project_folder(MODEL_DIR, name).parent == MODEL_DIR / "versions"
    assert project_folder(MODEL_DIR, name + "x") != project_folder(MODEL_DIR, name)
