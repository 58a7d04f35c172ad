"""Values for the control tags of a labeling config: one row for each tag, as an annotator may have left them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree  # nosec B405 - for configs that the SDK has read

from label_studio_sdk.label_interface import LabelInterface

from . import sample_files as files

Json = dict[str, Any]

FROM_TASK = ("First", "Second")
"""Labels or choices of a control that takes them from its task."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a value is made for."""

    interface: LabelInterface
    control: Any
    """The control tag, as the SDK has it."""
    target: Any
    """The object tag that it labels."""
    data: Json
    """The task's."""
    number: int
    """Chooses among the labels."""

    @property
    def tag(self) -> str:
        """The control tag's name."""
        return str(self.control.tag).lower()

    @property
    def on(self) -> str:
        """The object tag's name."""
        return str(self.target.tag).lower()

    @property
    def label(self) -> str | None:
        """One of the control's labels or choices; None where it has none."""
        if self.control.labels:
            return str(self.control.labels[self.number % len(self.control.labels)])
        from_task = self.control.attr.get("value", "").startswith("$")
        return FROM_TASK[self.number % 2] if from_task else None

    def beside(self, tag: str) -> Any:
        """Another control tag on the same object, by its name; None where there is none."""
        others = (one for one in self.interface.controls if self.target.name in one.to_name)
        return next((one for one in others if one.tag == tag), None)


_Make = Callable[[Wanted], Json | None]


def value(wanted: Wanted) -> Json | None:
    """A value that fits a control; None where none can be made."""
    make = _CONTROLS.get(wanted.tag)
    return make(wanted) if make else None


def _labelled(make: Callable[[Wanted], Json]) -> _Make:
    """What `make` makes, with a label of the control under the name of its tag."""

    def both(wanted: Wanted) -> Json | None:
        label = wanted.label
        return None if label is None else {**make(wanted), wanted.tag: [label]}

    return both


# --- shapes ---------------------------------------------------------------------------------------------------


def _rectangle(_wanted: Wanted) -> Json:
    return {"x": 10.0, "y": 15.0, "width": 30.0, "height": 25.0, "rotation": 0}


def _ellipse(_wanted: Wanted) -> Json:
    return {"x": 40.0, "y": 50.0, "radiusX": 12.0, "radiusY": 8.0, "rotation": 0}


def _polygon(_wanted: Wanted) -> Json:
    return {"points": [[10.0, 10.0], [45.0, 12.0], [40.0, 60.0]], "closed": True}


def _keypoint(_wanted: Wanted) -> Json:
    return {"x": 42.0, "y": 31.0, "width": 0.5}


def _brush(_wanted: Wanted) -> Json:
    import numpy
    from label_studio_sdk.converter.brush import encode_rle

    mask = numpy.zeros((files.HEIGHT, files.WIDTH, 4), dtype=numpy.uint8)
    mask[60:120, 80:160] = 255
    return {"format": "rle", "rle": encode_rle(mask.ravel())}


def _video_rectangle(wanted: Wanted) -> Json:
    """A box that moves. Its labels are those of a Labels tag, and are kept with the box."""
    labels = wanted.beside("Labels")
    box = {"rotation": 0, "y": 45, "width": 20, "height": 30}
    return {
        "framesCount": files.FRAMES,
        "duration": files.FRAMES / files.FRAMES_PER_SECOND,
        "sequence": [
            {"frame": 1, "time": 0.04, "enabled": True, "x": 50, **box},
            {"frame": 25, "time": 1.0, "enabled": False, "x": 65, **box},
        ],
        "labels": [labels.labels[wanted.number % len(labels.labels)]] if labels and labels.labels else [],
    }


# --- spans ----------------------------------------------------------------------------------------------------


def _time_range(_wanted: Wanted) -> Json:
    return {"start": 10, "end": 30, "instant": False}


def _frames(_wanted: Wanted) -> Json:
    return {"ranges": [{"start": 1, "end": 10}]}


def _labels(wanted: Wanted) -> Json | None:
    """A labelled span; None on a video with boxes, which carry the labels themselves."""
    return None if wanted.beside("VideoRectangle") else _labelled(_span)(wanted)


def _span(wanted: Wanted) -> Json:
    """A span of what the control labels: half a second, unless there is a row for the object tag."""
    make = _SPANS.get(wanted.on)
    return make(wanted) if make else {"start": 0.25, "end": 0.75, "channel": 0}


def _span_of_text(wanted: Wanted) -> Json:
    """The first word."""
    content = wanted.data.get((wanted.target.value or "")[1:])
    text = content if isinstance(content, str) and not content.startswith("/data/") else files.sentence(0)
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    start = text.find(word)
    return {"start": start, "end": start + len(word), "text": word}


def _span_of_page(_wanted: Wanted) -> Json:
    """The first word of the heading."""
    node = "/div[1]/h1[1]/text()[1]"
    offsets = {"startOffset": 0, "endOffset": 6, "globalOffsets": {"start": 0, "end": 6}}
    return {"start": node, "end": node, **offsets, "text": "Sample"}


def _span_of_dialogue(_wanted: Wanted) -> Json:
    """The first word of the first turn."""
    return {"start": "0", "end": "0", "startOffset": 0, "endOffset": 3, "text": "How"}


_SPANS: dict[str, Callable[[Wanted], Json]] = {
    "text": _span_of_text,
    "hypertext": _span_of_page,
    "paragraphs": _span_of_dialogue,
    "image": lambda _wanted: {},  # labels a region that another control draws
}


# --- answers about the whole task -----------------------------------------------------------------------------


def _taxonomy(wanted: Wanted) -> Json | None:
    paths = _paths(wanted.interface.config, wanted.control.name)
    return {"taxonomy": [paths[wanted.number % len(paths)]]} if paths else None


def _paths(config: str, name: str) -> list[list[str]]:
    """The paths to the choices of a taxonomy, from the outermost one."""

    def below(element: Any, path: list[str]) -> Iterator[list[str]]:
        for child in element:
            here = [*path, child.get("value", "")]
            yield here
            yield from below(child, here)

    element = ElementTree.fromstring(config).find(f".//*[@name='{name}']")  # noqa: S314 # nosec B314
    return [] if element is None else list(below(element, []))


def _rating(wanted: Wanted) -> Json:
    return {"rating": 1 + wanted.number % int(wanted.control.attr.get("maxRating") or 5)}


def _number(wanted: Wanted) -> Json:
    return {"number": float(wanted.control.attr.get("min") or wanted.number + 1)}


_CONTROLS: dict[str, _Make] = {
    "rectangle": _rectangle,
    "rectanglelabels": _labelled(_rectangle),
    "ellipse": _ellipse,
    "ellipselabels": _labelled(_ellipse),
    "polygon": _polygon,
    "polygonlabels": _labelled(_polygon),
    "keypoint": _keypoint,
    "keypointlabels": _labelled(_keypoint),
    "brush": _brush,
    "brushlabels": _labelled(_brush),
    "videorectangle": _video_rectangle,
    "labels": _labels,
    "hypertextlabels": _labelled(_span),
    "paragraphlabels": _labelled(_span),
    "timeserieslabels": _labelled(_time_range),
    "timelinelabels": _labelled(_frames),
    "choices": _labelled(lambda _wanted: {}),
    "taxonomy": _taxonomy,
    "textarea": lambda wanted: {"text": [files.sentence(wanted.number)]},
    "rating": _rating,
    "number": _number,
    "datetime": lambda wanted: {"datetime": f"2024-01-{1 + wanted.number % 28:02d}"},
    "pairwise": lambda wanted: {"selected": ("left", "right")[wanted.number % 2]},
}
