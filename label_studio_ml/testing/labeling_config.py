"""The labeling config that a test names, or that the folder of its class shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..checks import configs
from ..checks.watched import folder_of


def named(label_config: str | Path) -> configs.LabelConfig:
    """XML, a file, or the name of a template."""
    return configs.named(str(label_config))


def chosen(model_class: type[Any], label_config: str | Path | None) -> configs.LabelConfig:
    """What is named, else what the folder of the class shows, `label_config.xml` first."""
    if label_config is not None:
        return named(label_config)
    folder = folder_of(model_class) or Path()
    found = configs.of_folder(folder)
    if found is None:
        raise configs.missing(folder)
    return found
