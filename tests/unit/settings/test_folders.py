"""Where things of the user are, on every system."""

from __future__ import annotations

import tempfile
from pathlib import Path

import platformdirs
import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix

from label_studio_ml import settings


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "LABEL_STUDIO_BASE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")


def system(monkeypatch: pytest.MonkeyPatch, kind: type[Unix | MacOS]) -> None:
    monkeypatch.setattr(platformdirs, "PlatformDirs", kind)


@pytest.mark.parametrize(
    ("kind", "media", "uploads"),
    [
        (
            Unix,
            "/home/somebody/.cache/label-studio-ml/media",
            "/home/somebody/.local/share/label-studio/media/upload",
        ),
        (
            MacOS,
            "/home/somebody/Library/Caches/label-studio-ml/media",
            "/home/somebody/Library/Application Support/label-studio/media/upload",
        ),
    ],
)
def test_folders_are_where_the_system_keeps_them(
    monkeypatch: pytest.MonkeyPatch, kind: type[Unix | MacOS], media: str, uploads: str
) -> None:
    system(monkeypatch, kind)
    assert settings.user_media_folder() == Path(media)
    assert settings.label_studio_uploads() == Path(uploads)


@pytest.mark.parametrize("kind", [Unix, MacOS])
def test_xdg_variables_have_the_say(monkeypatch: pytest.MonkeyPatch, kind: type[Unix | MacOS]) -> None:
    system(monkeypatch, kind)
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert settings.user_media_folder() == Path("/caches/label-studio-ml/media")
    assert settings.label_studio_uploads() == Path("/data/label-studio/media/upload")


def test_label_studios_own_variable_goes_before_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("LABEL_STUDIO_BASE_DATA_DIR", "/elsewhere")
    assert settings.label_studio_uploads() == Path("/elsewhere/media/upload")


def test_without_a_home_folder_media_go_to_the_temporary_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *args, **kwargs: Path("~/.cache/label-studio-ml"))
    folder = settings.user_media_folder()
    assert folder.is_absolute()
    assert folder.is_relative_to(tempfile.gettempdir())
