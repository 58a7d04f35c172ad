"""Which of the many historical shapes an author's methods have. Looks at signatures only, calls nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def accepted(function: Callable[..., Any], available: dict[str, Any]) -> dict[str, Any]:
    """Those of the available keyword arguments that the function takes.

    >>> accepted(lambda a, b=1: None, {"b": 2, "c": 3})
    {'b': 2}
    """
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return available
    named = {
        parameter.name
        for parameter in parameters
        if parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    }
    return {name: value for name, value in available.items() if name in named}


def fit_generation(fit: Callable[..., Any]) -> int:
    """1 for `fit(self, annotations, workdir=None, **kw)`, 2 for `fit(self, event, data, **kw)` in either order.

    Args:
        fit: the function in the class, with `self`.
    """
    parameters = [
        parameter for parameter in inspect.signature(fit).parameters.values() if parameter.kind in _POSITIONAL
    ]
    first = parameters[1].name if len(parameters) > 1 else "event"
    return 2 if first in ("event", "data") else 1
