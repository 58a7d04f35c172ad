"""Answers about a whole task: choices, taxonomies, texts, ratings, numbers, dates, comparisons, rankings.

Runs in the author's process.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ..errors import RegionError
from .region import Labels, Region, build, finite, label_list, name_of, plain, stored_number, value_of, whole


def choices(
    from_name: str,
    to_name: str,
    choice: Labels,
    *,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """What is picked of `Choices`.

    Args:
        from_name: name of the control tag.
        to_name: name of the object tag.
        choice: one choice, or several where the tag has `choice="multiple"`.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    >>> choices("mood", "text", "Positive")["value"]
    {'choices': ['Positive']}
    """
    return build(from_name, to_name, "choices", {"choices": label_list(choice)}, score=score, id=id)


def read_choices(region: Mapping[str, Any]) -> list[str]:
    """What is picked in a region of `Choices`.

    Raises:
        RegionError: it is no such region.
    """
    return _strings(region, value_of(region, "choices")["choices"])


def taxonomy(
    from_name: str,
    to_name: str,
    paths: Sequence[str] | Sequence[Sequence[str]],
    *,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """What is picked of a `Taxonomy`.

    Args:
        from_name: name of the control tag.
        to_name: name of the object tag.
        paths: the path to one item, from the root down, or a list of paths.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: there is no path, or an empty one.

    >>> taxonomy("kind", "text", ["Animals", "Cat"])["value"]
    {'taxonomy': [['Animals', 'Cat']]}
    """
    listed = [paths] if isinstance(paths, str) else list(plain(paths))
    if listed and all(isinstance(step, str) for step in listed):
        listed = [listed]
    if not listed or not all(isinstance(path, list) and path for path in listed):
        raise RegionError(f"A taxonomy takes a path such as ['Animals', 'Cat'], or a list of paths, not {paths!r}.")
    value = {"taxonomy": [[str(step) for step in path] for path in listed]}
    return build(from_name, to_name, "taxonomy", value, score=score, id=id)


def read_taxonomy(region: Mapping[str, Any]) -> list[list[str]]:
    """The paths that are picked in a region of `Taxonomy`.

    Raises:
        RegionError: it is no such region.
    """
    paths = value_of(region, "taxonomy")["taxonomy"]
    if not isinstance(paths, list):
        raise RegionError(f"{name_of(region)} must hold a list of paths, not {paths!r}.")
    return [_strings(region, path) for path in paths]


def text_area(
    from_name: str,
    to_name: str,
    text: str | Sequence[str],
    *,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """What is written into a `TextArea`: one text or several.

    Args:
        from_name: name of the control tag.
        to_name: name of the object tag.
        text: the text, or texts.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    >>> text_area("summary", "text", "Short.")["value"]
    {'text': ['Short.']}
    """
    return build(from_name, to_name, "textarea", {"text": label_list(text)}, score=score, id=id)


def read_text_area(region: Mapping[str, Any]) -> list[str]:
    """The texts in a region of `TextArea`.

    Raises:
        RegionError: it is no such region.
    """
    text = value_of(region, "text")["text"]
    return _strings(region, [text] if isinstance(text, str) else text)


def rating(
    from_name: str,
    to_name: str,
    stars: Any,
    *,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """How many stars a `Rating` gets.

    Args:
        from_name: name of the control tag.
        to_name: name of the object tag.
        stars: a whole number from 0.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: it is no such number.

    >>> rating("stars", "text", 4)["value"]
    {'rating': 4}
    """
    count = whole(stars, "a rating")
    if count < 0:
        raise RegionError(f"A rating is 0 or more, not {count}.")
    return build(from_name, to_name, "rating", {"rating": count}, score=score, id=id)


def read_rating(region: Mapping[str, Any]) -> int:
    """The stars in a region of `Rating`.

    Raises:
        RegionError: it is no such region.
    """
    return whole(value_of(region, "rating")["rating"], f"{name_of(region)}: 'rating'")


def number(
    from_name: str,
    to_name: str,
    value: Any,
    *,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """What is entered into a `Number`.

    Args:
        from_name: name of the control tag.
        to_name: name of the object tag.
        value: a finite number.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: it is none.

    >>> number("count", "image", 3)["value"]
    {'number': 3}
    """
    found = finite(value, "the number")
    as_given = plain(value)
    kept = as_given if isinstance(as_given, int) else found
    return build(from_name, to_name, "number", {"number": kept}, score=score, id=id)


def read_number(region: Mapping[str, Any]) -> float:
    """The number in a region of `Number`.

    Raises:
        RegionError: it is no such region.
    """
    return stored_number(region, "number")


def date_time(
    from_name: str,
    to_name: str,
    moment: datetime.datetime | datetime.date | datetime.time | str,
    *,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """What is entered into a `DateTime`.

    Args:
        from_name: name of the control tag.
        to_name: name of the object tag.
        moment: a `datetime`, kept to the minute; a `date` for `only="date"`; a `time` for `only="time"`; or a
            string, kept as it is, where the tag has a `format` or shows month and year alone.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    >>> date_time("when", "text", datetime.datetime(2024, 2, 29, 12, 30))["value"]
    {'datetime': '2024-02-29T12:30'}
    """
    if isinstance(moment, datetime.datetime):
        shown = moment.strftime("%Y-%m-%dT%H:%M")
    elif isinstance(moment, datetime.time):
        shown = moment.strftime("%H:%M")
    else:
        shown = moment.isoformat() if isinstance(moment, datetime.date) else str(moment)
    return build(from_name, to_name, "datetime", {"datetime": shown}, score=score, id=id)


def read_date_time(region: Mapping[str, Any]) -> str:
    """What is in a region of `DateTime`, as it is written there.

    Raises:
        RegionError: it is no such region.
    """
    return str(value_of(region, "datetime")["datetime"])


def pairwise(
    from_name: str,
    to_name: str,
    selected: Literal["left", "right"],
    *,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """Which of two a `Pairwise` picks.

    Args:
        from_name: name of the control tag.
        to_name: name of one of its two object tags.
        selected: `left` or `right`.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: it is neither.

    >>> pairwise("better", "answer_a", "left")["value"]
    {'selected': 'left'}
    """
    if selected not in {"left", "right"}:
        raise RegionError(f"A comparison picks 'left' or 'right', not {selected!r}.")
    return build(from_name, to_name, "pairwise", {"selected": selected}, score=score, id=id)


def read_pairwise(region: Mapping[str, Any]) -> str:
    """`left` or `right`, whichever a region of `Pairwise` picks.

    Raises:
        RegionError: it is no such region.
    """
    return str(value_of(region, "selected")["selected"])


def ranker(
    from_name: str,
    to_name: str,
    order: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """How a `Ranker` orders the items of a `List`.

    Args:
        from_name: name of the control tag.
        to_name: name of the list tag.
        order: the items' ids, best first; for a ranker with buckets {bucket: ids}.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    >>> ranker("rank", "results", ["b", "a"])["value"]
    {'ranker': {'rank': ['b', 'a']}}
    """
    buckets = order if isinstance(order, Mapping) else {from_name: order}
    value = {"ranker": {str(bucket): label_list(items) for bucket, items in buckets.items()}}
    return build(from_name, to_name, "ranker", value, score=score, id=id)


def read_ranker(region: Mapping[str, Any]) -> dict[str, list[str]]:
    """The items' ids in a region of `Ranker`, by bucket; without buckets there is one, with the control's name.

    Raises:
        RegionError: it is no such region.
    """
    buckets = value_of(region, "ranker")["ranker"]
    if not isinstance(buckets, dict):
        raise RegionError(f"{name_of(region)} must hold lists by bucket, not {buckets!r}.")
    return {bucket: _strings(region, items) for bucket, items in buckets.items()}


def _strings(region: Mapping[str, Any], items: Any) -> list[str]:
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise RegionError(f"{name_of(region)} must hold a list of strings, not {items!r}.")
    return list(items)
