"""Programs that only some machines have: their tests are skipped elsewhere, but never in CI."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(program: str, package: str) -> NoReturn:
    """Skip the test, and say what to install; in CI it fails, since there everything must run."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {program} here: apt-get install {package}")
    raise AssertionError  # neither of the two returns
