"""Sample tasks and annotations for a labeling config, in the form in which Label Studio has them.

Values are made here for the common tags, so that media are real and spans, boxes and labels make sense; for the
others the SDK's own generator is asked. Every annotation passes the SDK's check; a control it refuses is left out.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree  # nosec B405 - for configs that the SDK has read

from label_studio_sdk.label_interface import LabelInterface

from . import media

Json = dict[str, Any]
Publish = Callable[[str, bytes], str]
"""Stores a file by its name and returns the address that tasks have for it."""

_CREATED = "2024-01-01T12:00:00.000000Z"
_VARIABLE = re.compile(r"""=\s*["']\$(\w+)["']""")
_ON_IMAGES = ("image", "pdf")


def tasks(interface: LabelInterface, count: int, publish: Publish, project_id: str = "1") -> list[Json]:
    """Tasks 1 to `count` with all the data that the labeling config names."""
    return [_task(number + 1, data(interface, number, publish), project_id) for number in range(count)]


def data(interface: LabelInterface, number: int, publish: Publish) -> Json:
    """The data of a task."""
    found: Json = {}
    for place, tag in enumerate(interface.objects):
        if tag.value and tag.value.startswith("$"):
            found[tag.value[1:]] = _object(tag, number + 100 * place, publish)
    for control in interface.controls:
        value = control.attr.get("value", "")
        if value.startswith("$"):  # labels or choices that come with the task
            found.setdefault(value[1:], [{"value": "First"}, {"value": "Second"}])
    for name in _VARIABLE.findall(interface.config or ""):
        found.setdefault(name, media.sentence(number))
    return found


def annotation(interface: LabelInterface, task: Json, number: int, *, skipped: bool = False) -> Json:
    """An annotation of a task as webhooks and exports carry it; `number` chooses among the labels.

    With `skipped` it is what an annotator leaves who skips the task: nothing.
    """
    result = [] if skipped else regions(interface, task, number)
    identity = 1000 + (task["id"] if isinstance(task["id"], int) else number)
    return {
        "id": identity,
        "result": result,
        "was_cancelled": skipped,
        "ground_truth": False,
        "created_at": _CREATED,
        "updated_at": _CREATED,
        "lead_time": 2.5,
        "prediction": {},
        "result_count": len(result),
        "unique_id": f"00000000-0000-4000-8000-{identity:012d}",
        "task": task["id"],
        "project": task.get("project"),
        "completed_by": 1,
        "updated_by": 1,
        "parent_prediction": None,
        "parent_annotation": None,
    }


def annotated(task: Json, one: Json) -> Json:
    """A task with an annotation, in JSON export form."""
    skips = int(one["was_cancelled"])
    counts = {"is_labeled": True, "total_annotations": 1 - skips, "cancelled_annotations": skips}
    return {**task, "annotations": [one], **counts}


def regions(interface: LabelInterface, task: Json, number: int) -> list[Json]:
    """One region for each control that a region can be made for."""
    found: list[Json] = []
    for control in interface.controls:
        with contextlib.suppress(Exception):  # a tag the SDK cannot check is a tag we cannot vouch for
            region = _region(interface, control, task["data"], number, found)
            if region and interface.validate_region(region, context={"result": [*found, region], "region": region}):
                found.append(region)
    return found or _generated(interface)


def clicks(interface: LabelInterface, task: Json) -> list[Json]:
    """What an annotator may do that asks for an interactive prediction: a region for each smart control.

    Where the config has none, the first region that can be made.
    """
    smart = {control.name for control in interface.controls if control.attr.get("smart") == "true"}
    possible = regions(interface, task, 0)
    wanted = [region for region in possible if region["from_name"] in smart] or possible[:1]
    return [{**region, "is_positive": True} if "keypoint" in region["type"] else region for region in wanted]


def completed(task: Json, number: int) -> Json:
    """A task as Label Studio has it, from one that may be nothing but its data."""
    content = task if isinstance(task.get("data"), dict) else {"data": task}
    return {"id": number, "annotations": [], "predictions": [], "meta": {}, **content}


def _task(number: int, values: Json, project_id: str) -> Json:
    return {
        "id": number,
        "data": values,
        "meta": {},
        "created_at": _CREATED,
        "updated_at": _CREATED,
        "is_labeled": False,
        "inner_id": number,
        "total_annotations": 0,
        "cancelled_annotations": 0,
        "total_predictions": 0,
        "file_upload": None,
        "project": int(project_id) if project_id.isdigit() else 1,
        "annotations": [],
        "predictions": [],
        "drafts": [],
    }


# --- data of objects -----------------------------------------------------------------------------------------


def _object(tag: Any, number: int, publish: Publish) -> Any:
    kind, by_address = tag.tag.lower(), (tag.value_type or "").lower() == "url"
    if kind == "image":
        pictures = [publish(f"image-{number}-{page}.png", media.image(number + page)) for page in range(2)]
        return pictures if getattr(tag, "is_image_list", False) else pictures[0]
    if kind in ("audio", "audioplus"):
        return publish(f"sound-{number}.wav", media.sound(number))
    if kind == "video":
        return publish(f"video-{number}.avi", media.video(number))
    if kind == "pdf":
        return publish(f"document-{number}.pdf", media.pdf(number))
    if kind == "timeseries":
        return _series(tag, number, publish)
    if kind == "text":
        text = media.sentence(number)
        return publish(f"text-{number}.txt", text.encode()) if by_address else text
    if kind == "hypertext":
        page = media.html(number)
        return publish(f"page-{number}.html", page.encode()) if by_address else page
    if kind == "paragraphs":
        names = tag.attr.get("nameKey") or "author", tag.attr.get("textKey") or "text"
        talk = [dict(zip(names, turn, strict=True)) for turn in media.dialogue(number)]
        return publish(f"dialogue-{number}.json", media.as_json(talk)) if by_address else talk
    if kind == "table":
        return {"Sample": str(number + 1), "Note": media.sentence(number)}
    if kind == "list":
        return [
            {"id": f"item-{place}", "title": f"Item {place}", "body": media.sentence(number + place)}
            for place in range(3)
        ]
    if kind == "chat":
        return [
            {"role": "user" if place % 2 == 0 else "assistant", "content": text}
            for place, (_, text) in enumerate(media.dialogue(number))
        ]
    return tag.generate_example_value()


def _series(tag: Any, number: int, publish: Publish) -> Any:
    attributes = tag.attr
    elements = [channel for child in tag.children or [] for channel in child.iter("Channel")]
    columns = [channel.get("column") for channel in elements if channel.get("column")] or ["value"]
    table = media.series(number, attributes.get("timeColumn") or "time", columns, attributes.get("timeFormat"))
    if (tag.value_type or "url").lower() == "json":
        return table
    return publish(f"series-{number}.csv", media.csv(table, attributes.get("sep") or ","))


# --- regions of controls -------------------------------------------------------------------------------------


def _region(interface: Any, control: Any, values: Json, number: int, before: list[Json]) -> Json | None:
    """A region of a control; `before`: those made already, one of which a per-region control belongs to."""
    target = (control.objects or [control])[0]
    value = _value(interface, control, target, values, number)
    if value is None:
        return None
    region = {
        "id": f"sample{len(before) + 1}",
        "from_name": control.name,
        "to_name": target.name,
        "type": control.tag.lower(),
        "origin": "manual",
        "value": value,
    }
    if target.tag.lower() in _ON_IMAGES:
        region |= {"original_width": media.WIDTH, "original_height": media.HEIGHT, "image_rotation": 0}
    joins = control.attr.get("perRegion") == "true" or (control.tag == "Labels" and target.tag == "Image")
    if joins:
        shape = next((one for one in before if one["to_name"] == target.name), None)
        if shape is None:
            return None
        own = {key: part for key, part in shape["value"].items() if not key.endswith("labels")}
        region |= {"id": shape["id"], "value": {**own, **value}}
    return region


def _value(interface: Any, control: Any, target: Any, values: Json, number: int) -> Json | None:
    tag, on = control.tag.lower(), target.tag.lower()
    chosen = [control.labels[number % len(control.labels)]] if control.labels else []
    if tag.endswith(("labels", "choices")) and not chosen:
        if control.attr.get("value", "").startswith("$"):
            chosen = [("First", "Second")[number % 2]]
        else:
            return None
    shape = _SHAPES.get(tag.removesuffix("labels"))
    beside = {one.tag: one for one in interface.controls if target.name in one.to_name}
    if tag == "videorectangle":  # the labels of a video's box are kept with the box
        labels = beside["Labels"].labels if "Labels" in beside else []
        return {**_SHAPES[tag](), "labels": [labels[number % len(labels)]] if labels else []}
    if tag == "labels" and "VideoRectangle" in beside:
        return None
    if shape is not None:
        return {**shape(), tag: chosen} if tag.endswith("labels") else shape()
    content = values.get((target.value or "")[1:])
    if tag == "taxonomy":
        paths = _paths(interface.config, control.name)
        return {"taxonomy": [paths[number % len(paths)]]} if paths else None
    if tag == "labels":
        return {**_span(on, content), "labels": chosen}
    if tag in ("hypertextlabels", "paragraphlabels"):
        return {**_span(on, content), tag: chosen}
    make = _ANSWERS.get(tag)
    return make(control, content, number, chosen) if make else None


def _span(on: str, content: Any) -> Json:
    """The first word of a text, or the first half second of what has a time."""
    if on == "hypertext":
        node = "/div[1]/h1[1]/text()[1]"
        offsets = {"startOffset": 0, "endOffset": 6, "globalOffsets": {"start": 0, "end": 6}}
        return {"start": node, "end": node, **offsets, "text": "Sample"}
    if on == "paragraphs":
        return {"start": "0", "end": "0", "startOffset": 0, "endOffset": 3, "text": "How"}
    if on == "text":
        text = content if isinstance(content, str) and not content.startswith("/data/") else media.sentence(0)
        word = text.split(maxsplit=1)[0] if text.strip() else ""
        start = text.find(word)
        return {"start": start, "end": start + len(word), "text": word}
    return {"start": 0.25, "end": 0.75, "channel": 0} if on != "image" else {}


def _mask() -> Json:
    import numpy
    from label_studio_sdk.converter.brush import encode_rle

    mask = numpy.zeros((media.HEIGHT, media.WIDTH, 4), dtype=numpy.uint8)
    mask[60:120, 80:160] = 255
    return {"format": "rle", "rle": encode_rle(mask.ravel())}


_SHAPES: dict[str, Callable[[], Json]] = {
    "rectangle": lambda: {"x": 10.0, "y": 15.0, "width": 30.0, "height": 25.0, "rotation": 0},
    "ellipse": lambda: {"x": 40.0, "y": 50.0, "radiusX": 12.0, "radiusY": 8.0, "rotation": 0},
    "polygon": lambda: {"points": [[10.0, 10.0], [45.0, 12.0], [40.0, 60.0]], "closed": True},
    "keypoint": lambda: {"x": 42.0, "y": 31.0, "width": 0.5},
    "brush": _mask,
    "timeseries": lambda: {"start": 10, "end": 30, "instant": False},
    "timeline": lambda: {"ranges": [{"start": 1, "end": 10}]},
    "videorectangle": lambda: {
        "framesCount": media.FRAMES,
        "duration": media.FRAMES / media.FRAMES_PER_SECOND,
        "sequence": [
            {"frame": 1, "time": 0.04, "enabled": True, "rotation": 0, "x": 50, "y": 45, "width": 20, "height": 30},
            {
                "frame": 25,
                "time": 1.0,
                "enabled": False,
                "rotation": 0,
                "x": 65,
                "y": 45,
                "width": 20,
                "height": 30,
            },
        ],
    },
}


def _paths(config: str, name: str) -> list[list[str]]:
    """The paths to the choices of a taxonomy, from the outermost one."""

    def below(element: Any, path: list[str]) -> Iterator[list[str]]:
        for child in element:
            here = [*path, child.get("value", "")]
            yield here
            yield from below(child, here)

    element = ElementTree.fromstring(config).find(f".//*[@name='{name}']")  # noqa: S314 # nosec B314
    return [] if element is None else list(below(element, []))


_ANSWERS: dict[str, Callable[[Any, Any, int, list[str]], Json | None]] = {
    "choices": lambda _control, _content, _number, chosen: {"choices": chosen},
    "textarea": lambda _control, _content, number, _chosen: {"text": [media.sentence(number)]},
    "rating": lambda control, _content, number, _chosen: {
        "rating": 1 + number % int(control.attr.get("maxRating") or 5)
    },
    "number": lambda control, _content, number, _chosen: {"number": float(control.attr.get("min") or number + 1)},
    "datetime": lambda _control, _content, number, _chosen: {"datetime": f"2024-01-{1 + number % 28:02d}"},
    "pairwise": lambda _control, _content, number, _chosen: {"selected": ("left", "right")[number % 2]},
}


def _generated(interface: LabelInterface) -> list[Json]:
    """What the SDK's own generator makes, for tags that are not known here."""
    try:
        one = interface.generate_sample_annotation()
    except Exception:  # noqa: BLE001 - it is of use where it works
        return []
    return list(one["result"]) if one else []
