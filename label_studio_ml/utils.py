"""Small helpers that model classes import: label config, choices, images, media, comparisons in tests.

Runs wherever the author's code runs. Importing it must stay cheap: label-studio-sdk and Pillow are
imported by the functions that need them.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlparse

from .settings import environment

DATA_UNDEFINED_NAME = "$undefined$"
"""Label Studio's name for the data field of a task that was imported without field names."""

_CLOUD_SCHEMES = ("s3:", "gs:", "azure-blob:")

TagKeys = tuple[str, str, str, list[str]]


def get_env(name: str, default: Any = None, is_bool: bool = False) -> Any:
    """Read `LABEL_STUDIO_<name>`, `HEARTEX_<name>` or `<name>` from the environment, the first that is set.

    Args:
        name: the variable, without prefix.
        default: what to return when none is set.
        is_bool: read words such as `true`, `off` or `1` as a bool.
    """
    from label_studio_sdk._extensions.label_studio_tools.core.utils import params

    return params.get_env(name, default, is_bool)


def get_local_path(
    url: str,
    cache_dir: str | None = None,
    project_dir: str | None = None,
    hostname: str | None = None,
    image_dir: str | None = None,
    access_token: str | None = None,
    download_resources: bool = True,
    task_id: int | None = None,
) -> str:
    """Return a local file with the content of a task's media, downloading it when needed.

    Inside `predict()` and `fit()` of a server, what is not given is what the instance knows.

    Args:
        url: the value in the task: an upload, local file, cloud or http(s) address, or a data URI.
        cache_dir: folder for downloads; default: that of the server, outside of one the user's cache folder.
        project_dir: folder of a Label Studio project on this machine, where uploads may be found.
        hostname: Label Studio's address; `LABEL_STUDIO_URL` by default.
        image_dir: folder of uploads on this machine.
        access_token: Label Studio's token of any kind; `LABEL_STUDIO_API_KEY` by default.
        download_resources: whether to download at all, or only to say where the file would be.
        task_id: id of the task; required for cloud addresses.

    Raises:
        MediaError: it cannot be had, or must not be; the message says what to do.
    """
    from .instance import state
    from .media import addresses, files

    known = state.working()
    token = access_token or known.access_token
    where = addresses.LabelStudio(hostname or known.hostname, token, token, known.project.id, task_id)
    found = known.media(cache_dir)
    folders = files.upload_folders(image_dir, project_dir)
    return str(found.path(url, where, upload_folders=folders, fetch=download_resources))


def get_image_local_path(
    url: str,
    image_cache_dir: str | None = None,
    project_dir: str | None = None,
    image_dir: str | None = None,
    label_studio_host: str | None = None,
    label_studio_access_token: str | None = None,
    task_id: int | None = None,
) -> str:
    """Return a local file for an image; `get_local_path` under the names used for images."""
    return get_local_path(
        url,
        cache_dir=image_cache_dir,
        project_dir=project_dir,
        hostname=label_studio_host or environment.label_studio_hostname(),
        image_dir=image_dir,
        access_token=label_studio_access_token,
        task_id=task_id,
    )


def get_image_size(filepath: str | os.PathLike[str]) -> tuple[int, int]:
    """Return (width, height) in pixels of an image as a person sees it, its EXIF rotation applied."""
    from PIL import Image, ImageOps

    with Image.open(filepath) as image:
        return ImageOps.exif_transpose(image).size


def get_single_tag_keys(parsed_label_config: Mapping[str, Any], control_type: str, object_type: str) -> TagKeys:
    """Read a label config that has exactly one control, on exactly one object.

    Args:
        parsed_label_config: `{control name: {type, to_name, inputs, labels}}`.
        control_type: tag of the control, such as `Choices`.
        object_type: tag of the object, such as `Text`.

    Returns:
        (from_name, to_name, value, labels), where value is the field of the task's data.

    Raises:
        AssertionError: the label config has another form; the message says which.

    >>> config = {"mood": {"type": "Choices", "to_name": ["text"], "labels": ["Good", "Bad"],
    ...                    "inputs": [{"type": "Text", "value": "review"}]}}
    >>> get_single_tag_keys(config, "Choices", "Text")
    ('mood', 'text', 'review', ['Good', 'Bad'])
    """
    wanted = f"one <{control_type}> on one <{object_type}>"
    if len(parsed_label_config) != 1:
        names = ", ".join(parsed_label_config) or "none"
        raise AssertionError(f"This model needs a label config with {wanted}; its controls are: {names}.")
    ((from_name, info),) = parsed_label_config.items()
    if info["type"] != control_type:
        raise AssertionError(f"This model needs {wanted}, but {from_name!r} is a <{info['type']}>.")
    if len(info["to_name"]) != 1 or len(info["inputs"]) != 1:
        raise AssertionError(f"This model needs {wanted}, but {from_name!r} is on several objects.")
    if info["inputs"][0]["type"] != object_type:
        raise AssertionError(f"This model needs {wanted}, but {from_name!r} is on a <{info['inputs'][0]['type']}>.")
    return from_name, info["to_name"][0], info["inputs"][0]["value"], info["labels"]


def get_first_tag_keys(parsed_label_config: Mapping[str, Any], control_type: str, object_type: str) -> TagKeys:
    """Read the first control of one type on an object of another, in a label config that may have more.

    Args and result are those of `get_single_tag_keys`.

    Raises:
        AssertionError: the label config has no such pair.
    """
    for from_name, info in parsed_label_config.items():
        if info["type"] != control_type:
            continue
        for to_name, source in zip(info["to_name"], info["inputs"], strict=False):
            if source["type"] == object_type:
                return from_name, to_name, source["value"], info["labels"]
    raise AssertionError(f"The label config has no <{control_type}> on a <{object_type}>.")


def is_skipped(completion: Mapping[str, Any]) -> bool:
    """Tell whether a task's only annotation is a skip. With several annotations the answer is no.

    >>> is_skipped({"annotations": [{"was_cancelled": True, "result": []}]})
    True
    """
    annotations = completion["annotations"]
    if len(annotations) != 1:
        return False
    return bool(annotations[0].get("skipped") or annotations[0].get("was_cancelled"))


def get_choice(completion: Mapping[str, Any]) -> str:
    """Return the first choice in the first region of a task's first annotation.

    >>> get_choice({"annotations": [{"result": [{"value": {"choices": ["Good"]}}]}]})
    'Good'
    """
    choice: str = completion["annotations"][0]["result"][0]["value"]["choices"][0]
    return choice


class InMemoryLRUDictCache:
    """A dict of limited size: when it is full, the least recently used entry goes.

    >>> cache = InMemoryLRUDictCache(capacity=2)
    >>> for key in "abc":
    ...     cache.put(key, key.upper())
    >>> cache.get("a"), cache.get("c"), "b" in cache
    (None, 'C', True)
    """

    def __init__(self, capacity: int = 1) -> None:
        self.capacity = capacity
        self.cache: OrderedDict[Any, Any] = OrderedDict()

    def __contains__(self, item: object) -> bool:
        return item in self.cache

    def get(self, key: Any) -> Any:
        """Return the value and count that as a use, or None."""
        if key not in self.cache:
            return None
        self.cache.move_to_end(key)
        return self.cache[key]

    def put(self, key: Any, value: Any) -> None:
        """Store a value and count that as a use."""
        self.cache[key] = value
        self.cache.move_to_end(key)
        while len(self.cache) > self.capacity:
            self.cache.popitem(last=False)

    def __str__(self) -> str:
        return str(self.cache)


def match_labels(text: str, labels: Sequence[str]) -> list[str]:
    r"""Return the most similar label for each line of a text, such as a language model's answer.

    >>> match_labels("It is positive\nnegativ", ["Positive", "Negative"])
    ['Positive', 'Negative']
    """

    def similarity(line: str, label: str) -> float:
        return difflib.SequenceMatcher(None, line, label).ratio()

    return [max(labels, key=lambda label: similarity(line, label)) for line in text.splitlines()]


def is_valid_url(path: str) -> bool:
    """Tell whether a string has the form of a URL, with a scheme and a host.

    >>> is_valid_url("https://example.org/cat.png"), is_valid_url("cat.png")
    (True, False)
    """
    try:
        parts = urlparse(path)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


def is_preload_needed(url: str) -> bool:
    """Tell whether a value in a task is a reference to a file, and not the data itself.

    >>> is_preload_needed("/data/upload/2/cat.png"), is_preload_needed("a sentence about cats")
    (True, False)
    """
    path = url.removeprefix("/")
    return (
        path.startswith(("upload/", "data/upload/"))
        or (url.startswith("/data/") and "?d=" in url)
        or url.startswith(_CLOUD_SCHEMES)
        or re.match(r"/(tasks|projects)/\d+/(presign|resolve)/", url) is not None
        or is_valid_url(url)
        or _is_file(url)
    )


def addresses_in(value: Any) -> Iterator[str]:
    """Every reference to a file inside task data, however deep.

    >>> list(addresses_in({"a": ["https://example.org/1.png", "words"], "b": None}))
    ['https://example.org/1.png']
    """
    if isinstance(value, Mapping):
        for item in value.values():
            yield from addresses_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from addresses_in(item)
    elif isinstance(value, str) and is_preload_needed(value):
        yield value


def _is_file(text: str) -> bool:
    try:
        return os.path.exists(text)  # noqa: PTH110 - a text of any length and content is asked about here
    except (OSError, ValueError):
        return False


def compare_nested_structures(
    a: Any,
    b: Any,
    path: str = "",
    rel: float | None = 1e-4,
    abs: float | None = None,  # noqa: A002 - the historical name
) -> None:
    """Assert that two JSON-like values are equal, floats only about.

    Args:
        a: the value found: dicts, lists, tuples, numbers, strings.
        b: the value expected; tolerances are relative to its floats.
        path: where these values are inside larger ones; messages begin with it.
        rel: relative tolerance for floats.
        abs: absolute tolerance for floats.

    Raises:
        AssertionError: the values differ; the message says where.

    >>> compare_nested_structures({"score": [0.50001]}, {"score": [0.5]})
    >>> compare_nested_structures({"score": [0.6]}, {"score": [0.5]})
    Traceback (most recent call last):
    AssertionError: .score[0]: 0.6 is not 0.5
    """
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            raise AssertionError(f"{path}: keys {sorted(map(str, a))} are not {sorted(map(str, b))}")
        for key in a:
            compare_nested_structures(a[key], b[key], f"{path}.{key}", rel, abs)
    elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        if len(a) != len(b):
            raise AssertionError(f"{path}: {len(a)} items instead of {len(b)}")
        for index, (left, right) in enumerate(zip(a, b, strict=True)):
            compare_nested_structures(left, right, f"{path}[{index}]", rel, abs)
    elif not _about_equal(a, b, rel or 0.0, abs or 0.0):
        raise AssertionError(f"{path}: {a!r} is not {b!r}")


def _about_equal(a: Any, b: Any, rel: float, absolute: float) -> bool:
    if isinstance(a, bool) or isinstance(b, bool) or not (isinstance(a, float) or isinstance(b, float)):
        return bool(a == b)
    if not (isinstance(a, (int, float)) and isinstance(b, (int, float))):
        return False
    return math.isclose(a, b, rel_tol=0.0, abs_tol=max(rel * math.fabs(b), absolute)) or a == b
