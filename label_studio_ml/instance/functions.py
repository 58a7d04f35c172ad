"""Plain functions that answer for the author's class: registered with decorators, called by the base class.

Runs wherever the author's code runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_registered: dict[str, Callable[..., Any]] = {}


def predict_fn(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a plain function answer predictions; it is called as `function(tasks, context, helper=self, **kw)`."""
    _registered["predict"] = function
    return function


def update_fn(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a plain function learn from events; it is called as `function(event, data, helper=self, **kw)`."""
    _registered["update"] = function
    return function


def registered_predict() -> Callable[..., Any] | None:
    """The function registered with `predict_fn`."""
    return _registered.get("predict")


def registered_update() -> Callable[..., Any] | None:
    """The function registered with `update_fn`."""
    return _registered.get("update")
