"""Words on images, each a box and the text in it, and their reader.

Runs in the author's process. Coordinates are pixels, or with `normalized=True` from 0 to 1.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import geometry
from .geometry import Frame
from .rectangle import Box, read_rectangle
from .region import Labels, Region, Size, build, found_in, label_list, labelled, value_of


@dataclass(frozen=True, kw_only=True)
class Word(Box):
    """A box with the text in it."""

    text: str
    """What it reads; lines are separated by line feeds."""


def ocr(
    from_name: str,
    to_name: str,
    label: Labels | None = None,
    *,
    text: str,
    text_name: str,
    label_name: str | None = None,
    size: Size,
    xyxy: Any = None,
    xywh: Any = None,
    cxcywh: Any = None,
    rotation: Any = 0,
    normalized: bool = False,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> list[Region]:
    """A word: a box and the text in it, which share an id. Put all of them into the result.

    Args:
        from_name: name of the `Rectangle`, or `RectangleLabels`.
        to_name: name of the image tag.
        label: label or labels.
        text: what the word reads.
        text_name: name of the `TextArea` with `perRegion="true"`.
        label_name: name of the `Labels` tag, where boxes are drawn with a plain `Rectangle` beside it.
        size: (width, height) of the image in pixels.
        xyxy: (left, top, right, bottom): a tuple, an array or a tensor.
        xywh: or (left, top, width, height).
        cxcywh: or (centre x, centre y, width, height).
        rotation: degrees, clockwise around the centre.
        normalized: coordinates are from 0 to 1 instead of pixels.
        score: how sure the model is, 0 to 1.
        id: the id that the parts share; made up if not given.

    Raises:
        RegionError: as `rectangle`.

    >>> for part in ocr("box", "page", text="Total", text_name="read", xywh=(0, 0, 50, 10), size=(100, 100)):
    ...     print(part["from_name"], part["type"], part["value"])
    box rectangle {'x': 0.0, 'y': 0.0, 'width': 50.0, 'height': 10.0, 'rotation': 0.0}
    read textarea {'x': 0.0, 'y': 0.0, 'width': 50.0, 'height': 10.0, 'rotation': 0.0, 'text': ['Total']}
    """
    frame = Frame.of(size, normalized=normalized)
    shape = geometry.rectangle_value(frame, geometry.box_given(frame, xyxy, xywh, cxcywh), rotation)
    kind, labels = labelled("rectangle", None if label_name else label)
    parts = [(from_name, kind, labels), (text_name, "textarea", {"text": [text]})]
    if label_name and label is not None:
        parts.insert(1, (label_name, "labels", {"labels": label_list(label)}))
    given = {"score": score, "id": id or uuid.uuid4().hex[:10], **frame.stored}
    return [build(name, to_name, kind, {**shape, **said}, **given) for name, kind, said in parts]


def read_ocr(result: Iterable[Mapping[str, Any]], text_name: str, *, size: Size | None = None) -> list[Word]:
    """The words in a result: every box that has a text.

    Args:
        result: the `result` of an annotation.
        text_name: name of the `TextArea` with `perRegion="true"`.
        size: (width, height) of the image; by default what the regions say.

    Raises:
        RegionError: a part is not as `ocr` makes it.
    """
    parts: dict[Any, list[Mapping[str, Any]]] = {}
    for region in result:
        parts.setdefault(region.get("id"), []).append(region)
    words = []
    for regions in parts.values():
        text = next((region for region in regions if region.get("from_name") == text_name), None)
        if text is None:
            continue
        found = found_in(text)
        for region in regions:
            found["labels"] = found["labels"] or found_in(region)["labels"]
        box = read_rectangle(text, size=size)
        lines = value_of(text, "text")["text"]
        read = lines if isinstance(lines, str) else "\n".join(str(line) for line in lines)
        words.append(Word(**found, xyxy=box.xyxy, rotation=box.rotation, text=read))
    return words
