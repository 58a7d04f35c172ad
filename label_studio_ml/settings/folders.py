"""Folders of the user who runs this process, where the system keeps such things."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import platformdirs

from . import environment


def user_media_folder() -> Path:
    """Where media are kept when no server runs: the user's cache folder."""
    folder = platformdirs.user_cache_path("label-studio-ml", appauthor=False)
    if folder.parts[0] == "~":  # no home folder, as in some containers
        folder = Path(tempfile.gettempdir(), f"label-studio-ml-{os.getuid()}")
    return folder.absolute() / "media"


def label_studio_uploads() -> Path:
    """Where a Label Studio that was started by this user keeps uploads, unless it was told otherwise."""
    told = environment.label_studio_data_folder()
    folder = Path(told).absolute() if told else platformdirs.user_data_path("label-studio", appauthor=False)
    return folder / "media" / "upload"
