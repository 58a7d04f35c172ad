"""Values and names as they are told in messages: short, in one line, and with the nearest that would do. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

_SHOWN = 10
"""Labels and controls that a message lists before it says how many more there are."""

_COMPARED = 2000
"""Labels among which the nearest is looked for; taxonomies have many thousands."""


def nearest(got: str, allowed: Sequence[str]) -> str | None:
    """The name that is most like another; None when none is much like it."""
    folded = {name.casefold().strip(): name for name in allowed[:_COMPARED]}
    close = difflib.get_close_matches(got[:200].casefold().strip(), folded, n=1)
    return folded[close[0]] if close else None


def shorten(text: str, length: int = 80) -> str:
    """The text in one line, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def shown(value: Any) -> str:
    """A value as it is told in a message."""
    if isinstance(value, str):
        return f"`{shorten(value)}`"
    if isinstance(value, dict | list | tuple):
        return f"a {type(value).__name__}"
    return shorten(repr(value))


def listed(names: Sequence[str], *, quote: bool = True) -> str:
    """Names as people list them: `a`, `b` and `c`; of many, the first few and how many more."""
    some = [f"`{shorten(name)}`" if quote else name for name in names[:_SHOWN]]
    if len(names) > _SHOWN:
        some.append(f"{len(names) - _SHOWN} more")
    return " and ".join(filter(None, [", ".join(some[:-1]), some[-1]])) if some else "nothing"
