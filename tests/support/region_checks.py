"""What tests of regions share: would Label Studio store this, and is it plain JSON?"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from label_studio_sdk.label_interface import LabelInterface


@lru_cache
def _interface(label_config: str) -> LabelInterface:
    return LabelInterface(label_config)


def refused(label_config: str, *result: dict[str, Any]) -> list[str]:
    """What Label Studio's own check has against a result; it must also survive JSON unchanged."""
    written = json.dumps(result, allow_nan=False)
    assert tuple(json.loads(written)) == result
    found: list[str] = _interface(label_config).validate_prediction({"result": list(result)}, return_errors=True)
    return found
