"""Spans of plain text, and their reader.

Runs in the author's process. Positions are Python's: characters from 0, the end not included. Label Studio counts
the same way, emoji included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import RegionError
from .region import (
    Found,
    Labels,
    Region,
    build,
    finite,
    found_in,
    label_list,
    name_of,
    numbers,
    plain,
    value_of,
    whole,
)


@dataclass(frozen=True, kw_only=True)
class Span(Found):
    """Characters of a text: `text[start:end]`."""

    start: int
    end: int
    text: str | None
    """What it reads, where Label Studio keeps that."""


def text_span(
    from_name: str,
    to_name: str,
    label: Labels,
    *,
    text: str,
    start: Any,
    end: Any,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """A span for `Labels` on `Text`.

    Args:
        from_name: name of the control tag.
        to_name: name of the text tag.
        label: label or labels.
        text: the whole text.
        start: its first character, counted from 0.
        end: the character after its last.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: the span is empty or reaches beyond the text.

    >>> text_span("entity", "text", "Person", text="Ada wrote it.", start=0, end=3)["value"]
    {'start': 0, 'end': 3, 'text': 'Ada', 'labels': ['Person']}
    """
    first, after = inside(start, end, len(text))
    value = {"start": first, "end": after, "text": text[first:after], "labels": label_list(label)}
    return build(from_name, to_name, "labels", value, score=score, id=id)


def inside(start: Any, end: Any, length: int) -> tuple[int, int]:
    """The start and end of a span that is not empty and inside its text.

    Raises:
        RegionError: it is not.
    """
    first, after = whole(start, "the start of a span"), whole(end, "the end of a span")
    if not 0 <= first < after <= length:
        raise RegionError(f"The span {first}:{after} must be inside its text, 0:{length}, and not be empty.")
    return first, after


def read_text_span(region: Mapping[str, Any]) -> Span:
    """The span of a region that `text_span` makes.

    Raises:
        RegionError: it is no such region.
    """
    value = value_of(region, "start", "end")
    return Span(
        **found_in(region),
        start=whole(value["start"], f"{name_of(region)}: 'start'"),
        end=whole(value["end"], f"{name_of(region)}: 'end'"),
        text=value.get("text"),
    )


def token_spans(
    from_name: str,
    to_name: str,
    *,
    text: str,
    tags: Sequence[str],
    offsets: Any,
    scores: Any = None,
    label_map: Mapping[str, str] | None = None,
) -> list[Region]:
    """Spans for `Labels` on `Text`, from a tag for each token: what token classifiers give.

    Neighbours of one label become one span. Tags may be bare labels or follow a scheme: `B-`, `S-` and `U-` begin
    a span, `I-`, `E-` and `L-` go on with it; `O` is no label.

    Args:
        from_name: name of the control tag.
        to_name: name of the text tag.
        text: the whole text.
        tags: a tag for each token.
        offsets: (n, 2) of where each token is in the text, as `offset_mapping` of a tokenizer. Tokens without
            characters, such as `[CLS]`, are passed over.
        scores: how sure the model is of each tag; a span gets their mean.
        label_map: the config's label for each of the model's, as `build_label_map` gives it; labels that are
            not in it are left out.

    Raises:
        RegionError: tags, offsets and scores are not equally many, or a token reaches beyond the text.

    >>> tags, offsets = ["B-PER", "I-PER", "O", "B-LOC"], [(0, 3), (4, 12), (13, 15), (16, 22)]
    >>> spans = token_spans("entity", "text", text="Ada Lovelace in London", tags=tags, offsets=offsets)
    >>> [(span["value"]["text"], span["value"]["labels"]) for span in spans]
    [('Ada Lovelace', ['PER']), ('London', ['LOC'])]
    """
    where, sure = plain(offsets), plain(scores) if scores is not None else [None] * len(tags)
    if not len(tags) == len(where) == len(sure):
        raise RegionError(
            f"Every token has a tag, an offset and a score; got {len(tags)}, {len(where)} and {len(sure)}."
        )
    return [
        text_span(from_name, to_name, label, text=text, start=start, end=end, score=_mean(scores))
        for label, start, end, scores in _joined(tags, where, sure, label_map)
        if label is not None
    ]


class _Tokens(NamedTuple):
    label: str | None
    start: int
    end: int
    scores: list[Any]


def _joined(
    tags: Sequence[str], offsets: Sequence[Any], scores: Sequence[Any], label_map: Mapping[str, str] | None
) -> list[_Tokens]:
    """Tokens with neighbours of the same label put together."""
    spans: list[_Tokens] = []
    for tag, offset, score in zip(tags, offsets, scores, strict=True):
        start, end = (int(edge) for edge in numbers(offset, 2, "the offsets of a token"))
        if start == end:
            continue
        begins, label = _scheme(tag)
        label = label_map.get(label) if label_map is not None and label is not None else label
        if spans and spans[-1].label == label and not begins:
            spans[-1] = spans[-1]._replace(end=end, scores=[*spans[-1].scores, score])
        else:
            spans.append(_Tokens(label, start, end, [score]))
    return spans


def _scheme(tag: str) -> tuple[bool, str | None]:
    """Whether a tag begins a span, and its label."""
    if tag == "O":
        return False, None
    if tag[:2] in {"B-", "S-", "U-", "I-", "E-", "L-"}:
        return tag[0] in "BSU", tag[2:]
    return False, tag


def _mean(scores: list[Any]) -> float | None:
    if scores[0] is None:
        return None
    return sum(finite(score, "the score of a token") for score in scores) / len(scores)
