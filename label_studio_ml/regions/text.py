"""Spans of plain text, hypertext and paragraphs, and their readers.

Runs in the author's process. Positions are Python's: characters from 0, the end not included. Label Studio counts
the same way, emoji included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


@dataclass(frozen=True, kw_only=True)
class ParagraphSpan(Found):
    """Characters of a dialogue, from one (paragraph, character) to another, both counted from 0."""

    start: tuple[int, int]
    end: tuple[int, int]
    text: str | None
    """What it reads, where Label Studio keeps that."""


# --- plain text ---------------------------------------------------------------------------------------------


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
    first, after = _span(start, end, len(text), "text")
    value = {"start": first, "end": after, "text": text[first:after], "labels": label_list(label)}
    return build(from_name, to_name, "labels", value, score=score, id=id)


def _span(start: Any, end: Any, length: int, what: str) -> tuple[int, int]:
    first, after = whole(start, "the start of a span"), whole(end, "the end of a span")
    if not 0 <= first < after <= length:
        raise RegionError(f"The span {first}:{after} must be inside its {what}, 0:{length}, and not be empty.")
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
    spans: list[_Tokens] = []
    for tag, offset, score in zip(tags, where, sure, strict=True):
        start, end = (int(edge) for edge in numbers(offset, 2, "the offsets of a token"))
        if start == end:
            continue
        begins, label = _scheme(tag)
        label = label_map.get(label) if label_map is not None and label is not None else label
        if spans and spans[-1].label == label and not begins:
            spans[-1] = spans[-1]._replace(end=end, scores=[*spans[-1].scores, score])
        else:
            spans.append(_Tokens(label, start, end, [score]))
    return [
        text_span(from_name, to_name, label, text=text, start=start, end=end, score=_mean(scores))
        for label, start, end, scores in spans
        if label is not None
    ]


class _Tokens(NamedTuple):
    label: str | None
    start: int
    end: int
    scores: list[Any]


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


# --- hypertext ----------------------------------------------------------------------------------------------


def html_text(html: str) -> str:
    r"""The text of an HTML document by which `hypertext_span` counts: what a model should be given.

    It is every text in the body, tags left out, `<br>` as a line feed.

    >>> html_text("<p>Ada<br>wrote &amp; <b>read</b></p>")
    'Ada\nwrote & read'
    """
    return "".join(text for _, text in _html_texts(html))


def hypertext_span(
    from_name: str,
    to_name: str,
    label: Labels,
    *,
    html: str,
    start: Any,
    end: Any,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """A span for `HyperTextLabels` on `HyperText`.

    Args:
        from_name: name of the control tag.
        to_name: name of the hypertext tag.
        label: label or labels.
        html: the whole document.
        start: its first character in `html_text(html)`, counted from 0.
        end: the character after its last.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: the span is empty or reaches beyond the text.

    >>> region = hypertext_span("entity", "page", "Person", html="<p>By <b>Ada</b></p>", start=3, end=6)
    >>> region["value"]["start"], region["value"]["startOffset"], region["value"]["endOffset"]
    ('/p[1]/b[1]/text()[1]', 0, 3)
    >>> region["value"]["text"], region["value"]["globalOffsets"]
    ('Ada', {'start': 3, 'end': 6})
    """
    texts = list(_html_texts(html))
    content = "".join(text for _, text in texts)
    first, after = _span(start, end, len(content), "text")
    covered, position = [], 0
    for path, text in texts:
        inside = max(first - position, 0), min(after - position, len(text))
        if path and inside[0] < inside[1]:  # a <br> has no path
            covered.append((path, *inside))
        position += len(text)
    if not covered:
        raise RegionError(f"The span {first}:{after} holds nothing but line breaks.")
    (begin, start_offset, _), (finish, _, end_offset) = covered[0], covered[-1]
    value = {
        "start": begin,
        "end": finish,
        "startOffset": start_offset,
        "endOffset": end_offset,
        "globalOffsets": {"start": first, "end": after},
        "text": content[first:after],
        "hypertextlabels": label_list(label),
    }
    return build(from_name, to_name, "hypertextlabels", value, score=score, id=id)


def _html_texts(html: str) -> Iterator[tuple[str, str]]:
    """Every text in the body with its path, in order; `<br>` as a line feed without a path."""
    from lxml import etree
    from lxml.html import document_fromstring

    lowered = html.lstrip().lower()
    if not lowered.startswith(("<html", "<!doctype", "<body", "<head")):
        html = f"<html><body>{html}</body></html>"
    try:
        body = document_fromstring(html).find("body")
    except etree.ParserError:  # nothing in it
        return
    if body is not None:
        _add_table_bodies(body)
        yield from _texts_below(body, "")


def _add_table_bodies(body: Any) -> None:
    """Put rows into the `<tbody>` that browsers add where a table has none."""
    for table in body.iter("table"):
        added = None
        for child in list(table):
            if child.tag != "tr":
                added = None
                continue
            if added is None:
                added = table.makeelement("tbody")
                child.addprevious(added)
            added.append(child)


def _texts_below(element: Any, path: str) -> Iterator[tuple[str, str]]:
    seen: dict[str, int] = {}

    def step(name: str) -> str:
        seen[name] = seen.get(name, 0) + 1
        return f"{path}/{name}[{seen[name]}]"

    if element.text:
        yield step("text()"), element.text
    for child in element:
        if isinstance(child.tag, str):  # else it is a comment
            below = step(child.tag)
            if child.tag == "br":
                yield "", "\n"
            else:
                yield from _texts_below(child, below)
        if child.tail:
            yield step("text()"), child.tail


def read_hypertext_span(region: Mapping[str, Any], *, html: str | None = None) -> Span:
    """The span of a region that `hypertext_span` makes: positions in `html_text(html)`.

    Args:
        region: a region of `HyperTextLabels`.
        html: the document; needed only for regions without `globalOffsets`.

    Raises:
        RegionError: it is no such region, or cannot be found in the document.
    """
    value = value_of(region)
    offsets = value.get("globalOffsets")
    if not offsets:
        if html is None:
            raise RegionError(f"{name_of(region)} has no 'globalOffsets'; pass html= to find its place.")
        offsets = {edge: _position(region, html, edge) for edge in ("start", "end")}
    try:
        start, end = offsets["start"], offsets["end"]
    except (TypeError, KeyError):
        raise RegionError(f"{name_of(region)} has broken 'globalOffsets': {offsets!r}.") from None
    return Span(
        **found_in(region),
        start=whole(start, f"{name_of(region)}: 'start'"),
        end=whole(end, f"{name_of(region)}: 'end'"),
        text=value.get("text"),
    )


def _position(region: Mapping[str, Any], html: str, edge: str) -> int:
    value = value_of(region, edge, f"{edge}Offset")
    position = 0
    for path, text in _html_texts(html):
        if path == value[edge]:
            return position + whole(value[f"{edge}Offset"], f"{name_of(region)}: '{edge}Offset'")
        position += len(text)
    raise RegionError(f"{name_of(region)}: there is no {value[edge]!r} in the document.")


# --- paragraphs ---------------------------------------------------------------------------------------------


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
