"""Sizes and times as people write them in settings."""

from __future__ import annotations

import re

from ..errors import SettingError

_BYTES = {"": 1, "B": 1, "K": 2**10, "KB": 2**10, "M": 2**20, "MB": 2**20, "G": 2**30, "GB": 2**30}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def size(text: str) -> int:
    """Read a number of bytes.

    >>> size("256MB"), size("1G"), size("1000")
    (268435456, 1073741824, 1000)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    unit = _BYTES.get(match[2].upper()) if match else None
    if match is None or unit is None:
        raise SettingError(f"{text!r} is not a size. Write a number of bytes, or one like 256MB or 1G.")
    return int(float(match[1]) * unit)


def duration(text: str) -> float:
    """Read a time in seconds.

    >>> duration("2s"), duration("1.5m"), duration("30d"), duration("10")
    (2.0, 90.0, 2592000.0, 10.0)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", text.lower())
    if match is None:
        raise SettingError(
            f"{text!r} is not a time. Write seconds, or a number with s, m, h or d, as in 90s or 30d."
        )
    return float(match[1]) * _SECONDS[match[2]]
