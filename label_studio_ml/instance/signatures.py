"""Which of the many historical shapes an author's methods have. Looks at signatures only, calls nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import MethodType
from typing import Any
from weakref import WeakKeyDictionary

_known: WeakKeyDictionary[Any, frozenset[str] | None] = WeakKeyDictionary()
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def accepted(function: Callable[..., Any], available: dict[str, Any]) -> dict[str, Any]:
    """Those of the available keyword arguments that the function takes.

    >>> accepted(lambda a, b=1: None, {"b": 2, "c": 3})
    {'b': 2}
    """
    names = _of_method(function) if isinstance(function, MethodType) else _keywords(function)
    return available if names is None else {name: value for name, value in available.items() if name in names}


def _of_method(method: MethodType) -> frozenset[str] | None:
    """`_keywords`, looked up once for each function: a method that was replaced is another function."""
    try:
        return _known[method.__func__]
    except KeyError:
        names = _known[method.__func__] = _keywords(method)
        return names
    except TypeError:  # something callable that nothing can be remembered of
        return _keywords(method)


def _keywords(function: Callable[..., Any]) -> frozenset[str] | None:
    """Names of the keyword arguments that a function takes; None when it takes any."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return None
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return frozenset(parameter.name for parameter in parameters if parameter.kind in by_name)


def is_concurrent(predict: Callable[..., Any]) -> bool:
    """Whether calls may run side by side on one instance: it is `async def`, with or without `yield`."""
    return inspect.iscoroutinefunction(predict) or inspect.isasyncgenfunction(predict)


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
