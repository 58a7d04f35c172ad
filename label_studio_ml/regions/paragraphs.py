"""Spans of dialogues and other paragraphs, and their reader.

Runs in the author's process. Positions are Python's: characters from 0, the end not included. Label Studio counts
the same way, emoji included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import RegionError
from .region import (
    Found,
    Labels,
    Region,
    build,
    found_in,
    label_list,
    name_of,
    numbers,
    value_of,
    whole,
)


@dataclass(frozen=True, kw_only=True)
class ParagraphSpan(Found):
    """Characters of a dialogue, from one (paragraph, character) to another, both counted from 0."""

    start: tuple[int, int]
    end: tuple[int, int]
    text: str | None
    """What it reads, where Label Studio keeps that."""


def paragraph_span(
    from_name: str,
    to_name: str,
    label: Labels,
    *,
    texts: Sequence[str],
    start: tuple[int, int],
    end: tuple[int, int],
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """A span for `ParagraphLabels` on `Paragraphs`.

    Args:
        from_name: name of the control tag.
        to_name: name of the paragraphs tag.
        label: label or labels.
        texts: the text of each paragraph.
        start: (paragraph, character) where it begins, both counted from 0.
        end: (paragraph, character) after its last character.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: the span is empty or reaches beyond the paragraphs.

    >>> said = ["Hello, Ada.", "Hi!"]
    >>> paragraph_span("who", "talk", "Person", texts=said, start=(0, 7), end=(0, 10))["value"]
    {'start': '0', 'end': '0', 'startOffset': 7, 'endOffset': 10, 'text': 'Ada', 'paragraphlabels': ['Person']}
    """
    first, begin = (int(part) for part in numbers(start, 2, "the start of a span"))
    last, finish = (int(part) for part in numbers(end, 2, "the end of a span"))
    inside = 0 <= first <= last < len(texts) and 0 <= begin <= len(texts[first]) and 0 <= finish <= len(texts[last])
    if not inside or (first, begin) >= (last, finish):
        raise RegionError(
            f"The span {start} to {end} must be inside the {len(texts)} paragraphs, and not be empty."
        )
    covered = [*texts[first:last], texts[last][:finish]]
    covered[0] = covered[0][begin:]
    value = {
        "start": str(first),
        "end": str(last),
        "startOffset": begin,
        "endOffset": finish,
        "text": "\n".join(covered),
        "paragraphlabels": label_list(label),
    }
    return build(from_name, to_name, "paragraphlabels", value, score=score, id=id)


def read_paragraph_span(region: Mapping[str, Any]) -> ParagraphSpan:
    """The span of a region that `paragraph_span` makes.

    Raises:
        RegionError: it is no such region.
    """
    value = value_of(region, "start", "end", "startOffset", "endOffset")

    def place(edge: str) -> tuple[int, int]:
        try:
            return int(value[edge]), whole(value[f"{edge}Offset"], f"{name_of(region)}: '{edge}Offset'")
        except (ValueError, TypeError):
            raise RegionError(
                f"{name_of(region)}: {edge!r} must be a paragraph's number, not {value[edge]!r}."
            ) from None

    return ParagraphSpan(**found_in(region), start=place("start"), end=place("end"), text=value.get("text"))
