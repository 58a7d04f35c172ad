"""The class that authors inherit from. Runs in workers, in the trainer, and wherever authors test their code."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import MediaError
from .instance import functions, signatures, state
from .instance.base import Instance
from .instance.classes import model_classes
from .instance.functions import predict_fn, update_fn
from .instance.labels import LabelUse, label_map
from .response import ModelResponse
from .utils import addresses_in, is_preload_needed
from .wire import events

__all__ = [
    "LabelStudioMLBase",
    "ModelResponse",
    "get_all_classes_inherited_LabelStudioMLBase",
    "predict_fn",
    "update_fn",
]


class LabelStudioMLBase(Instance):
    """A model behind Label Studio. Override `predict()`, perhaps `setup()` and `fit()`.

    One instance serves one project, one labeling config and one version, and is kept loaded between requests.

    >>> from label_studio_ml import regions
    >>> class Greeter(LabelStudioMLBase):
    ...     def predict(self, tasks, context=None, **kwargs):
    ...         name, to_name, value = self.get_first_tag_occurence("TextArea", "Text")
    ...         greetings = ["Hello, " + task["data"][value] for task in tasks]
    ...         return [{"result": [regions.text_area(name, to_name, text)], "score": 1.0} for text in greetings]
    >>> config = '<View><Text name="t" value="$who"/><TextArea name="reply" toName="t"/></View>'
    >>> Greeter(label_config=config).predict([{"data": {"who": "Ada"}}])[0]["result"][0]["value"]
    {'text': ['Hello, Ada']}
    """

    INITIAL_MODEL_VERSION = "0.0.1"
    """What an untrained model is called until it says otherwise."""

    TRAIN_EVENTS: tuple[str, ...] = (
        "ANNOTATION_CREATED",
        "ANNOTATION_UPDATED",
        "ANNOTATION_DELETED",
        "START_TRAINING",
    )
    """Events that reach fit(). Singular and plural spellings count as the same; Start training always trains."""

    TRAIN_ON: str | None = None
    """`events` (the default), `start` (only the Start training button) or `never`; `--train-on` goes before it."""
    TRAIN_EVERY: int | None = None
    """New annotations that start a training; `--train-every` goes before it."""
    TRAIN_MIN_ANNOTATIONS: int | None = None
    """Annotations a project must have first; `--train-min-annotations` goes before it."""
    TRAIN_DEBOUNCE: float | None = None
    """Quiet seconds after an event before fit(annotations) starts; `--train-debounce` goes before it."""

    def __init__(
        self,
        project_id: str | None = None,
        label_config: str | None = None,
        train_output: dict[str, Any] | None = None,
        hostname: str = "",
        access_token: str = "",
        **_kwargs: Any,
    ) -> None:
        """Take what the server passes, all of it optional, and call `setup()`.

        Args:
            project_id: id of the Label Studio project.
            label_config: its labeling config (XML).
            train_output: what the last `fit()` returned.
            hostname: Label Studio's address.
            access_token: a token for it.
        """
        known = self._state
        if known.is_standalone and (project_id or label_config):
            self._state = known = state.standalone(project_id, label_config)
        if label_config is not None and label_config != self.label_config:
            self.use_label_config(label_config)
        if train_output:
            self.train_output = train_output
        known.connect_to(hostname or None, access_token or None)
        untouched = known.version.number == 0 and not known.version.base_name
        if untouched and known.version.name != self.INITIAL_MODEL_VERSION:
            known.set("model_version", self.INITIAL_MODEL_VERSION)
        self.setup()

    def setup(self) -> None:
        """Author's hook: load weights, `self.set("model_version", …)`. Called once per instance."""

    # --- the author's work -----------------------------------------------------------------------------

    def predict(self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        """Predict. May be `async`.

        Args:
            tasks: Label Studio tasks: dicts with `id`, `data`, and more.
            context: for an interactive call what the annotator drew (`result`: list of regions), else None.
            **kwargs: whatever else Label Studio sends.

        Returns:
            One prediction for each task, in the same order: a list of dicts with `result`, `score` (0 to 1) and
            perhaps `model_version`, of `PredictionValue`s, or of lists of them; or a `ModelResponse`.
        """
        function = functions.registered_predict()
        return None if function is None else function(tasks, context, helper=self, **kwargs)

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Learn. Runs in a process of its own and may take as long as it needs.

        Two signatures are understood: `fit(self, event, data, **kwargs)` is called for every event in
        `TRAIN_EVENTS`, by keyword; `fit(self, annotations, workdir=None, **kwargs)` with the project's
        annotated tasks.

        Returns:
            A dict that becomes `train_output`, or None.
        """
        function = functions.registered_update()
        if function is None:
            return None
        named = [kwargs.pop(name) for name in ("event", "data") if name in kwargs]
        return function(*args, *named, helper=self, **kwargs)

    def progress(self, fraction: float | None = None, **metrics: float) -> None:
        """Say inside `fit()` how far it is; may be called in every step of a loop.

        Args:
            fraction: how much is done, 0 to 1; None when that is not known.
            **metrics: numbers to show and to keep with the version, as in `loss=0.3`.

        Raises:
            ValueError: something is not a finite number.

        >>> LabelStudioMLBase().progress(0.5, loss=0.3)
        """
        said = {name: float(value) for name, value in metrics.items()}
        done = None if fraction is None else float(fraction)
        for name, value in {**said, "fraction": done or 0.0}.items():
            if not math.isfinite(value):
                raise ValueError(f"progress(): {name} must be a finite number, not {value}.")
        done = None if done is None else min(max(done, 0.0), 1.0)
        self._state.progress(done, said)

    def process_event(
        self, event: str, data: dict[str, Any], job_id: str, additional_params: dict[str, Any]
    ) -> Any:
        """The step between an event and `fit()`; override it to choose what is learned from.

        Args:
            event: what happened, as in `TRAIN_EVENTS`.
            data: the webhook's payload.
            job_id: id of the training job.
            additional_params: `workdir`, a fresh folder that is kept with the version.
        """
        if not events.trains(event, self.TRAIN_EVENTS):
            return None
        available = {"event": event, "data": data, "job_id": job_id, **additional_params}
        if signatures.fit_generation(type(self).fit) == 1:
            return self.fit(self._state.annotated, **signatures.accepted(self.fit, available))
        return self.fit(**signatures.accepted(self.fit, available))

    # --- media of tasks --------------------------------------------------------------------------------

    def get_local_path(
        self,
        url: str,
        project_dir: str | None = None,
        ls_host: str | None = None,
        ls_access_token: str | None = None,
        task_id: int | None = None,
        cache_dir: str | None = None,
        image_dir: str | None = None,
        download_resources: bool = True,
        **_kwargs: Any,
    ) -> str:
        """A local file with the content of a task's media. It stays at least until `predict()` or `fit()` is over.

        Args:
            url: an upload, local-files path, cloud address, http(s) address or data URI from task data.
            project_dir: folder of a Label Studio project on this machine, where uploads may be found.
            ls_host: Label Studio's address; default: the one this instance knows.
            ls_access_token: a token for it; likewise.
            task_id: id of the task; cloud addresses need it.
            cache_dir: folder for what is fetched; default: that of the server.
            image_dir: folder of uploads on this machine.
            download_resources: whether to fetch at all, or only to say where the file would be.
            **_kwargs: whatever else older packages took.

        Raises:
            MediaError: it cannot be had, or must not be; the message says what to do.
        """
        from .media import addresses, files

        where = addresses.LabelStudio(
            hostname=ls_host or self.hostname,
            token=ls_access_token or self.get_label_studio_access_token,
            account=ls_access_token or self.access_token,
            project_id=self.project_id,
            task_id=task_id,
        )
        found = self._state.media(cache_dir)
        folders = files.upload_folders(image_dir, project_dir)
        return str(found.path(url, where, upload_folders=folders, fetch=download_resources))

    def prefetch(
        self, tasks: list[dict[str, Any]], fields: str | list[str] | None = None, parallel: int = 8
    ) -> dict[str, str]:
        """Fetch the media of many tasks at once, so that `get_local_path` has them at hand.

        Args:
            tasks: the tasks.
            fields: names of data fields with media; default: all, however deep.
            parallel: most files that are fetched at the same time.

        Returns:
            The local path of each address. An address that cannot be fetched is left out, with a line in the log:
            `get_local_path` raises its error, so that only that task goes without a prediction.
        """
        from .media.files import local_paths

        wanted: dict[str, Any] = {}
        names = {fields} if isinstance(fields, str) else None if fields is None else set(fields)
        for task in tasks:
            for name, value in task.get("data", {}).items():
                if names is None or name in names:
                    for address in addresses_in(value):
                        wanted.setdefault(address, task.get("id"))
        return local_paths(lambda address, task_id: self.get_local_path(address, task_id=task_id), wanted, parallel)

    def preload_task_data(self, task: dict[str, Any], value: Any = None, read_file: bool = True) -> Any:
        """Replace media addresses inside task data by the file's text, or by its path.

        Args:
            task: the task, whose `id` cloud addresses need.
            value: a part of its data (dict, list or string); default: `task["data"]`.
            read_file: the file's text if true, else its local path.

        Raises:
            MediaError: the media of an address cannot be had. A plain path that must not be read stays as it is.
        """
        value = task["data"] if value is None else value
        if isinstance(value, dict):
            for key, item in value.items():
                value[key] = item if item is None else self.preload_task_data(task, item, read_file)
            return value
        if isinstance(value, list):
            return [item if item is None else self.preload_task_data(task, item, read_file) for item in value]
        if isinstance(value, str) and is_preload_needed(value):
            from .media.addresses import is_path

            try:
                path = self.get_local_path(value, task_id=task.get("id"))
            except MediaError:
                if is_path(value):  # just words, by chance the name of a file here
                    return value
                raise
            return Path(path).read_text(encoding="utf-8") if read_file else path
        return value

    # --- the labeling config ---------------------------------------------------------------------------

    def get_first_tag_occurence(
        self,
        control_type: str | tuple[str, ...],
        object_type: str | tuple[str, ...],
        name_filter: Callable[[str], bool] | None = None,
        to_name_filter: Callable[[str], bool] | None = None,
    ) -> tuple[str, str, str]:
        """The first control of a type on an object of a type, as `(from_name, to_name, value)`.

        Args:
            control_type: tag or tags, as in `"Choices"`.
            object_type: tag or tags, as in `"Text"`.
            name_filter: says which control names count.
            to_name_filter: says which object names count.

        Raises:
            ValueError: the config has no such pair.
        """
        try:
            found: tuple[str, str, str] = self.label_interface.get_first_tag_occurence(
                control_type=control_type,
                object_type=object_type,
                name_filter=name_filter,
                to_name_filter=to_name_filter,
            )
        except ValueError:
            control, thing = (
                kind if isinstance(kind, str) else " or ".join(kind) for kind in (control_type, object_type)
            )
            raise ValueError(
                f"{type(self).__name__} needs {control} on {thing}; the labeling config has no such pair."
            ) from None
        return found

    def build_label_map(self, tag_name: str, names: list[str]) -> dict[str, str]:
        """Which label of the config each label of the model stands for.

        By the config's `predicted_values` (comma-separated), else by equal name, else by name without regard
        to case. Model labels without a match are left out; the log tells them, and the config's labels that no
        label of the model stands for, when the model is loaded.

        Args:
            tag_name: name of the control tag.
            names: the model's labels.

        >>> model = LabelStudioMLBase(label_config='''<View><Image name="i" value="$i"/>
        ...   <RectangleLabels name="box" toName="i"><Label value="Airplane"/>
        ...   <Label value="Car" predicted_values="car, truck"/></RectangleLabels></View>''')
        >>> model.build_label_map("box", ["airplane", "truck", "tree"])
        {'airplane': 'Airplane', 'truck': 'Car'}
        """
        attributes = self.label_interface.get_control(tag_name).labels_attrs or {}
        mapped = label_map(attributes, names)
        use = self._state.label_uses.setdefault(tag_name, LabelUse(tuple(attributes)))
        use.note(names, mapped)
        return mapped


def get_all_classes_inherited_LabelStudioMLBase(script_file: str) -> list[str]:  # noqa: N802 - its historical name
    """Names of the model classes in a script, which is imported for it.

    Raises:
        ModuleNotFoundError: the script, or something it imports, does not exist.
    """
    path = Path(script_file).absolute()
    sys.path.insert(0, str(path.parent))
    try:
        module = importlib.import_module(path.stem)
    finally:
        sys.path.remove(str(path.parent))
    return sorted(found.__name__ for found in model_classes(module, LabelStudioMLBase))
