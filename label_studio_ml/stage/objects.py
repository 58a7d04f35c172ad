"""Data for the object tags of a labeling config: one row for each tag, and the SDK's generator for the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import sample_files as files

Publish = Callable[[str, bytes], str]
"""Stores a file by its name and returns the address that tasks have for it."""
_Make = Callable[[Any, int, Publish], Any]


def value(tag: Any, number: int, publish: Publish) -> Any:
    """What a task has for an object tag; `number` tells one value from the next."""
    make = _OBJECTS.get(tag.tag.lower())
    return make(tag, number, publish) if make else tag.generate_example_value()


def _file(name: str, content: Callable[[int], bytes]) -> _Make:
    """The address of a file."""
    return lambda _tag, number, publish: publish(name.format(number), content(number))


def _inline_or_file(name: str, content: Callable[[int], str]) -> _Make:
    """A text, or the address of its file where the tag has `valueType="url"`."""

    def make(tag: Any, number: int, publish: Publish) -> str:
        text = content(number)
        return publish(name.format(number), text.encode()) if _by_address(tag) else text

    return make


def _image(tag: Any, number: int, publish: Publish) -> Any:
    pictures = [publish(f"image-{number}-{page}.png", files.image(number + page)) for page in range(2)]
    return pictures if getattr(tag, "is_image_list", False) else pictures[0]


def _paragraphs(tag: Any, number: int, publish: Publish) -> Any:
    names = tag.attr.get("nameKey") or "author", tag.attr.get("textKey") or "text"
    turns = [dict(zip(names, turn, strict=True)) for turn in files.dialogue(number)]
    return publish(f"dialogue-{number}.json", files.as_json(turns)) if _by_address(tag) else turns


def _time_series(tag: Any, number: int, publish: Publish) -> Any:
    attributes = tag.attr
    elements = [channel for child in tag.children or [] for channel in child.iter("Channel")]
    columns = [channel.get("column") for channel in elements if channel.get("column")] or ["value"]
    table = files.series(number, attributes.get("timeColumn") or "time", columns, attributes.get("timeFormat"))
    if (tag.value_type or "url").lower() == "json":
        return table
    return publish(f"series-{number}.csv", files.csv(table, attributes.get("sep") or ","))


def _table(_tag: Any, number: int, _publish: Publish) -> Any:
    return {"Sample": str(number + 1), "Note": files.sentence(number)}


def _list(_tag: Any, number: int, _publish: Publish) -> Any:
    return [
        {"id": f"item-{place}", "title": f"Item {place}", "body": files.sentence(number + place)}
        for place in range(3)
    ]


def _chat(_tag: Any, number: int, _publish: Publish) -> Any:
    roles = ("user", "assistant", "user")
    turns = zip(roles, files.dialogue(number), strict=True)
    return [{"role": role, "content": text} for role, (_, text) in turns]


def _by_address(tag: Any) -> bool:
    return (tag.value_type or "").lower() == "url"


_OBJECTS: dict[str, _Make] = {
    "image": _image,
    "audio": _file("sound-{}.wav", files.sound),
    "audioplus": _file("sound-{}.wav", files.sound),
    "video": _file("video-{}.avi", files.video),
    "pdf": _file("document-{}.pdf", files.pdf),
    "timeseries": _time_series,
    "text": _inline_or_file("text-{}.txt", files.sentence),
    "hypertext": _inline_or_file("page-{}.html", files.html),
    "paragraphs": _paragraphs,
    "table": _table,
    "list": _list,
    "chat": _chat,
}
