"""What an instance of the author's class knows: its project, labeling config, version and values.

Runs in workers, in the trainer, and wherever authors test their code. Base of `LabelStudioMLBase`, which adds what
authors override.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import semver
from label_studio_sdk._extensions.label_studio_tools.core.label_config import parse_config
from label_studio_sdk.label_interface import LabelInterface

from ..wire import requests
from . import state

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio


class Instance:
    """What the base class of all models is built on; authors inherit from `LabelStudioMLBase`."""

    _state: state.InstanceState

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Instance:  # noqa: PYI034 - Self needs 3.11
        """Give the instance its state before the author's `__init__` runs."""
        instance = super().__new__(cls)
        instance._state = state.take_prepared()
        return instance

    # --- what the instance knows -----------------------------------------------------------------------

    @property
    def project_id(self) -> str:
        """Id of the Label Studio project; empty outside one."""
        return self._state.project.id

    @project_id.setter
    def project_id(self, value: str | None) -> None:
        self._state.change_project(id=str(value or ""))

    @property
    def label_config(self) -> str:
        """The labeling config (XML)."""
        return self._state.project.label_config

    @label_config.setter
    def label_config(self, value: str | None) -> None:
        self.use_label_config(value or "")

    @cached_property
    def parsed_label_config(self) -> dict[str, Any]:
        """The labeling config as `{control: {type, to_name, inputs, labels, labels_attrs, …}}`."""
        return parse_config(self.label_config) if self.label_config else {}

    @cached_property
    def label_interface(self) -> LabelInterface:
        """`label_studio_sdk`'s `LabelInterface` of the labeling config."""
        return LabelInterface(config=self.label_config or "<View></View>")

    def use_label_config(self, label_config: str) -> None:
        """Switch to another labeling config."""
        self._state.change_project(label_config=label_config)
        self.__dict__.pop("parsed_label_config", None)
        self.__dict__.pop("label_interface", None)

    @cached_property
    def train_output(self) -> dict[str, Any]:
        """What `fit()` returned for the version this instance serves; `{}` before any training."""
        return self._state.train_output

    @property
    def hostname(self) -> str:
        """Label Studio's address."""
        return self._state.hostname

    @hostname.setter
    def hostname(self, value: str) -> None:
        self._state.connect_to(hostname=value)

    @property
    def access_token(self) -> str:
        """The token for Label Studio as it was set or received, which may have to be exchanged first."""
        return self._state.access_token

    @access_token.setter
    def access_token(self, value: str) -> None:
        self._state.connect_to(access_token=value)

    @property
    def extra_params(self) -> dict[str, Any]:
        """What was typed into "extra params" when the backend was connected."""
        return self._state.extra_params

    @extra_params.setter
    def extra_params(self, value: dict[str, Any] | str) -> None:
        self.set_extra_params(value)

    def set_extra_params(self, extra_params: dict[str, Any] | str) -> None:
        """Replace the extra params of this instance."""
        self._state.change_project(extra_params=requests.typed_object(extra_params))

    @property
    def workdir(self) -> str | None:
        """Folder of the version this instance serves; during `fit()` the folder of the version to be."""
        return self._state.workdir

    @workdir.setter
    def workdir(self, value: str | None) -> None:  # authors of generation 1 had this name to themselves
        self._state.work_in(value)

    # --- values that survive restarts ------------------------------------------------------------------

    def get(self, key: str) -> Any:
        """A value stored with `set()` for this project; None when there is none."""
        return self._state.get(key)

    def set(self, key: str, value: Any) -> None:
        """Store a value for this project. Inside `fit()` it is stored together with the new version, or not at all.

        Args:
            key: any name; `model_version` is the name under which predictions appear in Label Studio.
            value: a string (comes back as a string) or anything else that is JSON (comes back as itself).
        """
        self._state.set(key, value)

    def has(self, key: str) -> bool:
        """Whether a value is stored under the key."""
        return self._state.has(key)

    @property
    def model_version(self) -> semver.Version | str | None:
        """Name of the version this instance serves: a `semver.Version` where it parses, else a string."""
        name = self.get("model_version")
        if not name:
            return None
        try:
            return semver.Version.parse(str(name))
        except ValueError:
            return str(name)

    @model_version.setter
    def model_version(self, value: Any) -> None:  # authors of generation 1 had this name to themselves
        self.set("model_version", None if value is None else str(value))

    def bump_model_version(self) -> semver.Version | str:
        """Raise the minor number of a semantic version, store it and return it.

        A name that is no semantic version gets a number behind it, counted up: `mine`, `mine.2`, `mine.3`.

        >>> from label_studio_ml.model import LabelStudioMLBase
        >>> model = LabelStudioMLBase(project_id="bump")
        >>> str(model.bump_model_version()), str(model.model_version)
        ('0.1.0', '0.1.0')
        """
        version = self.model_version
        if isinstance(version, semver.Version):
            bumped: semver.Version | str = version.bump_minor()
        else:
            head, _, tail = str(version or "").rpartition(".")
            bumped = f"{head}.{int(tail) + 1}" if head and tail.isdigit() else f"{version or 'model'}.2"
        self.set("model_version", str(bumped))
        return bumped

    # --- Label Studio ----------------------------------------------------------------------------------

    def _get_label_studio_client(self) -> LabelStudio | None:
        """The SDK client of this instance, made on first use; None without an address and a token."""
        return self._state.label_studio()

    def get_label_studio_access_token(self) -> str | None:
        """A token that works right now: a personal access token is exchanged and refreshed as needed."""
        client = self._get_label_studio_client()
        if client is None:
            return self.access_token or None
        from ..label_studio.client import working_token

        return working_token(client)
