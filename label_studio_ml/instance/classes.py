"""Which model classes a module of the author's holds. Looks at what is imported already."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any


def model_classes(module: ModuleType, base: type[Any]) -> list[type[Any]]:
    """The model classes defined in a module, else those it imports; without those that others inherit from.

    Args:
        module: of the author's.
        base: what makes a class a model class.
    """
    found = [one for _, one in inspect.getmembers(module, inspect.isclass) if issubclass(one, base)]
    own = [one for one in found if one.__module__ == module.__name__]
    every = own or [one for one in found if not one.__module__.startswith("label_studio_ml.")]
    return [one for one in every if not any(one is not other and issubclass(other, one) for other in every)]
