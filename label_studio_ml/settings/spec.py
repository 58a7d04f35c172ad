"""What is said about a setting where it is declared, and how that is read."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, Literal

from .bounds import Bound


class Group(enum.Enum):
    """A heading of `start --help` and of docs/settings.md, in their order."""

    ADDRESS = "Address and sign-in"
    PREDICTING = "Predicting"
    LIMITS = "Limits"
    TRAINING = "Training"
    VERSIONS = "Versions and storage"
    MEDIA = "Media"
    LABEL_STUDIO = "Label Studio"
    LOGGING = "Logging"


def setting(
    group: Group,
    default: Any,
    help_text: str,
    *env: str,
    kind: Literal["", "size", "duration"] = "",
    shown: str = "",
    short: str = "",
    bound: Bound | None = None,
) -> Any:
    """A field.

    Args:
        group: where it is listed.
        default: its value when nobody sets it.
        help_text: what it means.
        *env: variables of older packages that set it, too, the strongest first.
        kind: `size` (bytes) or `duration` (seconds) where a unit may follow the number.
        shown: the default as people read it, where that is not its value.
        short: its option in one letter.
        bound: what its value must satisfy.
    """
    about = {
        "group": group,
        "help": help_text,
        "env": env,
        "kind": kind,
        "shown": shown,
        "short": short,
        "bound": bound,
    }
    return dataclasses.field(default=default, metadata=about)


def variables_of(spec: dataclasses.Field[Any]) -> tuple[str, ...]:
    """The environment variables of a setting, the strongest first: our own, then those of older packages."""
    return (f"LABEL_STUDIO_ML_{spec.name.upper()}", *spec.metadata["env"])


def option_names(spec: dataclasses.Field[Any]) -> tuple[str, ...]:
    """The options of `start` that set it; for one that is on by default, how to switch it on and off."""
    name = spec.name.replace("_", "-")
    short = spec.metadata["short"]
    return (*([short] if short else []), f"--{name}", *([f"--no-{name}"] if spec.default is True else []))


def shown_default(spec: dataclasses.Field[Any]) -> str:
    """The default as people read it; empty where it says nothing, or the meaning says it."""
    if spec.metadata["shown"] or spec.default in ("", False, 0, None) or spec.name == "model_dir":
        return str(spec.metadata["shown"])
    return "yes" if spec.default is True else str(spec.default)
