"""All checks of `label-studio-ml test`, for a class that a test has imported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..checks.plan import Plan
from ..checks.report import Report
from ..checks.run import run_checks
from . import labeling_config

Json = dict[str, Any]


def check_backend(
    model_class: type[Any],
    label_config: str | Path | None = None,
    *,
    tasks: Sequence[Json] = (),
    count: int = 4,
    fit: bool = True,
    **kwargs: Any,
) -> Report:
    """Try a model class out with everything Label Studio will do: load, predict, click, train, predict again.

    Args:
        model_class: a class that inherits from `LabelStudioMLBase`.
        label_config: a labeling config (XML), its file, or the name of a template such as `object-detection`.
            Default: what the folder of the class shows, `label_config.xml` first.
        tasks: Label Studio tasks, or just their data; without them, samples are made that fit the config.
        count: how many samples.
        fit: whether to train, too.
        **kwargs: arguments for the class's constructor.

    Returns:
        A report with `.problems`, `.is_ok()`, `.assert_ok()` and `.text()`.

    Raises:
        UsageError: there is no such labeling config.

    >>> from label_studio_ml.model import LabelStudioMLBase
    >>> class Eager(LabelStudioMLBase):
    ...     def predict(self, tasks, context=None, **kwargs):
    ...         value = {"choices": ["Great"]}
    ...         region = {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": value}
    ...         return [{"result": [region], "score": 1.0} for task in tasks]
    >>> report = check_backend(Eager, "text-classification", count=1)
    >>> report.is_ok(), report.problems[0].check, report.problems[0].task
    (False, 'Valid', '1')
    """
    plan = Plan(label_config=labeling_config.chosen(model_class, label_config), tasks=tasks, count=count, fit=fit)
    return run_checks(model_class, plan, kwargs)
