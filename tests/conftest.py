"""What all tests share: which of them may not run at the same time in different workers of pytest-xdist."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs everything that needs a real Label Studio: each worker would start one of its own."""
    for item in items:
        if item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.xdist_group("label_studio"))
