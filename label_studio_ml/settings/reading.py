"""From text to settings: what is given, else the environment, else the default; each one checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import SettingError
from . import environment
from .fields import SPECS, Settings
from .hosts import private_hosts
from .spec import variables_of
from .units import duration, size

_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}
_LEVELS = {"WARN": "WARNING", "CRITICAL": "ERROR"}
"""Other names of log levels."""


def load(
    environ: Mapping[str, str] | None = None, *, default_model_dir: Path | None = None, **given: Any
) -> Settings:
    """Settle every setting: what is given (and not None), else the environment, else the default.

    Args:
        environ: the environment; the process's own by default.
        default_model_dir: the default of `model_dir`.
        **given: settings by name.

    Raises:
        SettingError: a value makes no sense; the message names the setting.
    """
    environ = environment.variables() if environ is None else environ
    values: dict[str, Any] = {} if default_model_dir is None else {"model_dir": default_model_dir}
    for spec in SPECS:
        name, value = _found(spec, given, environ)
        if value is not None:
            values[spec.name] = _converted(name, value, spec) if isinstance(value, str) else value
    settings = _normalised(Settings(**values))
    _check(settings)
    return settings


def of_environment() -> Settings:
    """The settings of code that no server runs: those of the environment, where they make sense."""
    try:
        return load()
    except SettingError:  # a wrong port, say, matters to servers alone
        return Settings()


def _found(spec: dataclasses.Field[Any], given: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[str, Any]:
    """The value of a setting, None where there is only the default, and its name in error messages."""
    if given.get(spec.name) is not None:
        return spec.name, given[spec.name]
    variable = next((name for name in variables_of(spec) if environ.get(name)), None)
    return (spec.name, None) if variable is None else (f"The environment variable {variable}", environ[variable])


def _converted(name: str, text: str, spec: dataclasses.Field[Any]) -> Any:
    default: Any = spec.default
    kind = spec.metadata["kind"]
    try:
        if isinstance(default, bool):
            return _truth(text)
        if kind:
            return size(text) if kind == "size" else duration(text)
        if isinstance(default, Path):
            return Path(text).expanduser()
        return type(default)(text)
    except ValueError:
        wanted = {bool: "true or false", int: "a whole number", float: "a number"}[type(default)]
        raise SettingError(f"{name} must be {wanted}, not {text!r}.") from None
    except SettingError as error:
        raise SettingError(f"{name}: {error}") from None
    except RuntimeError:
        raise SettingError(f"{name}: there is no home folder for {text!r}.") from None


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(text)
    return word in _TRUE


def _normalised(settings: Settings) -> Settings:
    level = settings.log_level.upper()
    return dataclasses.replace(
        settings,
        model_dir=Path(settings.model_dir).expanduser().absolute(),
        log_level="DEBUG" if settings.debug else _LEVELS.get(level, level),
    )


def _check(settings: Settings) -> None:
    for spec in SPECS:
        bound, value = spec.metadata["bound"], getattr(settings, spec.name)
        if bound is not None and value is not None and (demand := bound.demand(value)):
            raise SettingError(f"{spec.name} must be {demand}.")
    _check_credentials(settings)
    private_hosts(settings.allow_private_media)


def _check_credentials(settings: Settings) -> None:
    if bool(settings.basic_auth_user) != bool(settings.basic_auth_pass):
        raise SettingError("Basic auth needs both a user and a password; only one of them is set.")
    if ":" in settings.basic_auth_user:
        raise SettingError("basic_auth_user must not have a colon: basic auth ends the user's name with one.")
    if settings.webhook_secret and not settings.auth_required:
        raise SettingError(
            "webhook_secret protects nothing by itself: it stands in for user and password, so set "
            "basic_auth_user and basic_auth_pass, too."
        )
    if settings.webhook_secret != settings.webhook_secret.strip() or not settings.webhook_secret.isprintable():
        raise SettingError("webhook_secret must be text that a header can carry: one line, no spaces around it.")
