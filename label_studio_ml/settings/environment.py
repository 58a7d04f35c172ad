"""The environment of this process. No other module of the package reads it.

What passes it on to child processes, or changes it on purpose, is named in a test with its reason.
"""

from __future__ import annotations

import os
from collections.abc import Mapping


def variables() -> Mapping[str, str]:
    """Every variable, as it is now."""
    return os.environ


def label_studio_hostname() -> str | None:
    """The address of Label Studio under the name that `get_image_local_path` has always read."""
    return os.environ.get("LABEL_STUDIO_HOSTNAME")


def label_studio_data_folder() -> str | None:
    """Where a Label Studio that was started with this environment keeps its data, if it was told so."""
    return os.environ.get("LABEL_STUDIO_BASE_DATA_DIR")
