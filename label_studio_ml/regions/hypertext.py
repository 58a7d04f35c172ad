"""Spans of hypertext, and their reader.

Runs in the author's process. Authors count characters of the document's text; Label Studio stores paths into
its tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import RegionError
from .region import (
    Labels,
    Region,
    build,
    found_in,
    label_list,
    name_of,
    value_of,
    whole,
)
from .text import Span, inside


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
    first, after = inside(start, end, len(content))
    covered = list(_covered(texts, first, after))
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


def _covered(texts: Sequence[tuple[str, str]], first: int, after: int) -> Iterator[tuple[str, int, int]]:
    """The texts that a span covers, each as its path and from where to where."""
    position = 0
    for path, text in texts:
        start, end = max(first - position, 0), min(after - position, len(text))
        if path and start < end:  # a <br> has no path
            yield path, start, end
        position += len(text)


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
