"""Sample tasks, annotations and clicks for a labeling config, in the form in which Label Studio has them.

Values are made here for the common tags, so that media are real and spans, boxes and labels make sense; for the
others the SDK's own generator is asked. Every annotation passes the SDK's check; a control it refuses is left out.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any

from label_studio_sdk.label_interface import LabelInterface

from ..wire import records
from . import controls, objects
from . import sample_files as files
from .objects import Publish

Json = dict[str, Any]

_VARIABLE = re.compile(r"""=\s*["']\$(\w+)["']""")
_ON_IMAGES = ("image", "pdf")


def tasks(interface: LabelInterface, count: int, publish: Publish, project_id: str = "1") -> list[Json]:
    """Tasks 1 to `count` with all the data that the labeling config names."""
    project = int(project_id) if project_id.isdigit() else 1
    return [records.task(number + 1, data(interface, number, publish), project) for number in range(count)]


def data(interface: LabelInterface, number: int, publish: Publish) -> Json:
    """The data of a task."""
    found: Json = {}
    for place, tag in enumerate(interface.objects):
        if tag.value and tag.value.startswith("$"):
            found[tag.value[1:]] = objects.value(tag, number + 100 * place, publish)
    for control in interface.controls:
        value = control.attr.get("value", "")
        if value.startswith("$"):  # labels or choices that come with the task
            found.setdefault(value[1:], [{"value": label} for label in controls.FROM_TASK])
    for name in _VARIABLE.findall(interface.config or ""):
        found.setdefault(name, files.sentence(number))
    return found


def annotation(interface: LabelInterface, task: Json, number: int, *, skipped: bool = False) -> Json:
    """An annotation of a task as webhooks and exports carry it; `number` chooses among the labels.

    With `skipped` it is what an annotator leaves who skips the task: nothing.
    """
    result = [] if skipped else regions(interface, task, number)
    return submitted(task, result, number, skipped=skipped)


def submitted(task: Json, result: list[Json], number: int = 0, *, skipped: bool = False) -> Json:
    """The annotation of a task with these regions; a task has no other, however often it is annotated."""
    identity = 1000 + (task["id"] if isinstance(task["id"], int) else number)
    return records.annotation(identity, task, result, skipped=skipped)


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


def _region(interface: Any, control: Any, values: Json, number: int, before: list[Json]) -> Json | None:
    """A region of a control; `before`: those made already, one of which a per-region control belongs to."""
    target = (control.objects or [control])[0]
    wanted = controls.Wanted(interface=interface, control=control, target=target, data=values, number=number)
    value = controls.value(wanted)
    if value is None:
        return None
    region = {
        "id": f"sample{len(before) + 1}",
        "from_name": control.name,
        "to_name": target.name,
        "type": wanted.tag,
        "origin": "manual",
        "value": value,
    }
    if wanted.on in _ON_IMAGES:
        region |= {"original_width": files.WIDTH, "original_height": files.HEIGHT, "image_rotation": 0}
    joins = control.attr.get("perRegion") == "true" or (control.tag == "Labels" and target.tag == "Image")
    if joins:
        shape = next((one for one in before if one["to_name"] == target.name), None)
        if shape is None:
            return None
        own = {key: part for key, part in shape["value"].items() if not key.endswith("labels")}
        region |= {"id": shape["id"], "value": {**own, **value}}
    return region


def _generated(interface: LabelInterface) -> list[Json]:
    """What the SDK's own generator makes, for tags that are not known here."""
    try:
        one = interface.generate_sample_annotation()
    except Exception:  # noqa: BLE001 - it is of use where it works
        return []
    return list(one["result"]) if one else []
