"""The report of the checks, for people and for programs."""

from __future__ import annotations

import json

import pytest

from tests.support.checked_models import (
    prediction,
    saying,
    try_out,
)


def test_a_report_is_json_and_readable_text() -> None:
    report = try_out(saying(lambda _task: prediction("Great")), count=1)
    content = json.loads(json.dumps(report.as_dict()))
    assert content["ok"] is False
    assert content["checks"][3]["name"] == "Valid"
    assert content["checks"][3]["problems"][0]["fix"]
    text = report.text(width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "✘  Valid" in text
    assert "  Fix: Use labels of the labeling config" in text
    plain = report.text(ascii_only=True)
    assert plain.isascii()
    assert "FAIL  Valid" in plain
    with pytest.raises(AssertionError, match="Fix: Use labels"):
        report.assert_ok()
    with pytest.raises(KeyError):
        report.check("Nothing")
