"""Spans of plain text, hypertext and paragraphs."""

from __future__ import annotations

import html as entities
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lxml.html import document_fromstring

from label_studio_ml import regions
from label_studio_ml.regions import RegionError
from tests.support.region_checks import refused

CONFIG = """
<View>
  <Text name="text" value="$text"/>
  <Labels name="entity" toName="text"><Label value="PER"/><Label value="LOC"/></Labels>
  <HyperText name="page" value="$html"/>
  <HyperTextLabels name="passage" toName="page"><Label value="PER"/></HyperTextLabels>
  <Paragraphs name="talk" value="$talk"/>
  <ParagraphLabels name="utterance" toName="talk"><Label value="PER"/></ParagraphLabels>
</View>
"""

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)


@st.composite
def spans_of(draw: st.DrawFn, length: int) -> tuple[int, int]:
    start = draw(st.integers(0, length - 1))
    return start, draw(st.integers(start + 1, length))


# --- plain text ---


@given(texts, st.data())
def test_a_span_comes_back_as_it_was(text: str, data: st.DataObject) -> None:
    start, end = data.draw(spans_of(len(text)))
    region = regions.text_span("entity", "text", "PER", text=text, start=np.int32(start), end=end, score=0.5)
    assert refused(CONFIG, region) == []
    read = regions.read_text_span(region)
    assert (read.start, read.end, read.text, read.label, read.score) == (start, end, text[start:end], "PER", 0.5)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (2, 2, "The span 2:2 must be inside its text, 0:5, and not be empty"),
        (3, 2, "The span 3:2"),
        (-1, 2, "The span -1:2"),
        (0, 6, "The span 0:6"),
        (0.5, 2, "The start of a span must be a whole number, not 0.5"),
        (0, math.nan, "The end of a span must be a finite number"),
        (0, "2", "The end of a span must be a number, not '2'"),
    ],
)
def test_what_cannot_be_a_span_is_refused_with_the_reason(start: Any, end: Any, message: str) -> None:
    with pytest.raises(RegionError, match=message):
        regions.text_span("entity", "text", "PER", text="Ada L", start=start, end=end)


# --- tokens ---


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["PER", "LOC", None])), min_size=1, max_size=8))
def test_tags_of_tokens_become_the_spans_that_they_mean(entities_given: list[tuple[int, str | None]]) -> None:
    tags: list[str] = []
    offsets: list[tuple[int, int]] = [(0, 0)]
    expected = []
    for length, label in entities_given:
        first = len(tags)
        tags += ["O"] * length if label is None else [f"B-{label}", *[f"I-{label}"] * (length - 1)]
        if label is not None:
            expected.append((first * 4, (first + length) * 4 - 1, label))
    offsets += [(4 * index, 4 * index + 3) for index in range(len(tags))]
    text = "abc " * len(tags)

    spans = regions.token_spans(
        "entity", "text", text=text, tags=["O", *tags], offsets=np.array(offsets), scores=np.full(len(offsets), 0.5)
    )

    assert refused(CONFIG, *spans) == []
    read = [regions.read_text_span(span) for span in spans]
    assert [(span.start, span.end, span.label) for span in read] == expected
    assert {span.score for span in read} <= {0.5}


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["PER", "PER", "O", "LOC"], [(0, 3, "PER"), (6, 7, "LOC")]),
        (["B-PER", "L-PER", "U-PER", "S-PER"], [(0, 3, "PER"), (4, 5, "PER"), (6, 7, "PER")]),
        (["I-PER", "I-LOC", "E-LOC", "O"], [(0, 1, "PER"), (2, 5, "LOC")]),
        (["O", "O", "O", "O"], []),
    ],
)
def test_every_common_tagging_scheme_is_understood(tags: list[str], expected: list[tuple[int, int, str]]) -> None:
    offsets = [(0, 1), (2, 3), (4, 5), (6, 7)]
    spans = regions.token_spans("entity", "text", text="a b c d", tags=tags, offsets=offsets)
    read = [regions.read_text_span(span) for span in spans]
    assert [(span.start, span.end, span.label) for span in read] == expected
    assert all("score" not in span for span in spans)


def test_labels_of_a_model_are_mapped_or_left_out() -> None:
    arguments: Any = {"text": "a b", "tags": ["B-person", "B-date"], "offsets": [(0, 1), (2, 3)]}
    (span,) = regions.token_spans("entity", "text", **arguments, label_map={"person": "PER"})
    assert span["value"] == {"start": 0, "end": 1, "text": "a", "labels": ["PER"]}


def test_tokens_without_tags_are_refused() -> None:
    with pytest.raises(RegionError, match="got 1, 2 and 1"):
        regions.token_spans("entity", "text", text="a b", tags=["O"], offsets=[(0, 1), (2, 3)])


# --- hypertext ---

nodes = st.recursive(
    texts.map(entities.escape) | st.just("<br>") | st.just("<!-- a comment -->"),
    lambda inner: st.tuples(st.sampled_from(["b", "i", "span", "div"]), st.lists(inner, max_size=4)).map(
        lambda node: f"<{node[0]}>{''.join(node[1])}</{node[0]}>"
    ),
    max_leaves=12,
)


@given(st.lists(nodes, min_size=1, max_size=4).map("".join), st.data())
def test_a_span_of_hypertext_comes_back_by_its_paths_and_by_its_offsets(html: str, data: st.DataObject) -> None:
    text = regions.html_text(html)
    assume(text.strip("\n"))
    start, end = data.draw(spans_of(len(text)))
    assume("\n" not in text[start] + text[end - 1])

    region = regions.hypertext_span("passage", "page", "PER", html=html, start=start, end=end)

    assert refused(CONFIG, region) == []
    read = regions.read_hypertext_span(region)
    assert (read.start, read.end, read.text, read.label) == (start, end, text[start:end], "PER")
    by_path = {**region, "value": {**region["value"], "globalOffsets": None}}
    found = regions.read_hypertext_span(by_path, html=html)
    assert (found.start, found.end) == (start, end)


@given(st.lists(nodes, min_size=1, max_size=4).map("".join), st.data())
def test_paths_are_those_of_xpath(html: str, data: st.DataObject) -> None:
    text = regions.html_text(html)
    assume(text.strip("\n"))
    start = data.draw(st.integers(0, len(text) - 1))
    assume(text[start] != "\n")
    value = regions.hypertext_span("passage", "page", "PER", html=html, start=start, end=start + 1)["value"]
    body = document_fromstring(f"<html><body>{html}</body></html>").find("body")
    assert body is not None
    (node,) = body.xpath("." + value["start"])
    assert node[value["startOffset"]] == text[start]


def test_rows_are_found_in_the_table_body_that_browsers_add() -> None:
    html = (
        "<table>\n<tr><td>a</td></tr><tr><td>b</td></tr></table><table><tbody><tr><td>c</td></tr></tbody></table>"
    )
    text = regions.html_text(html)
    paths = [
        regions.hypertext_span(
            "passage", "page", "PER", html=html, start=text.index(word), end=text.index(word) + 1
        )
        for word in "abc"
    ]
    assert [path["value"]["start"] for path in paths] == [
        "/table[1]/tbody[1]/tr[1]/td[1]/text()[1]",
        "/table[1]/tbody[1]/tr[2]/td[1]/text()[1]",
        "/table[2]/tbody[1]/tr[1]/td[1]/text()[1]",
    ]


def test_only_the_body_of_a_whole_document_counts() -> None:
    html = "<!DOCTYPE html><html><head><title>No</title></head><body><p>Ada</p></body></html>"
    assert regions.html_text(html) == "Ada"
    assert regions.html_text("") == ""


@pytest.mark.parametrize(
    ("value", "html", "message"),
    [
        ({"start": "/p[1]", "end": "/p[1]"}, None, "has no 'globalOffsets'; pass html="),
        ({"globalOffsets": {"start": 1}}, None, "broken 'globalOffsets'"),
        ({"globalOffsets": {"start": 1, "end": "x"}}, None, "'end' must be a number"),
        ({"start": "/i[1]/text()[1]", "startOffset": 0}, "<p>Ada</p>", r"there is no '/i\[1\]/text\(\)\[1\]'"),
    ],
)
def test_hypertext_that_cannot_be_found_is_refused_and_the_region_named(
    value: dict[str, Any], html: str | None, message: str
) -> None:
    region = {"id": "r1", "from_name": "passage", "type": "hypertextlabels", "value": value}
    with pytest.raises(RegionError, match=f"^Region 'r1' of 'passage'.*{message}"):
        regions.read_hypertext_span(region, html=html)


def test_a_span_of_nothing_but_line_breaks_is_refused() -> None:
    with pytest.raises(RegionError, match="holds nothing but line breaks"):
        regions.hypertext_span("passage", "page", "PER", html="a<br><br>b", start=1, end=3)


# --- paragraphs ---


@given(st.lists(texts, min_size=1, max_size=4), st.data())
def test_a_span_of_paragraphs_comes_back_as_it_was(said: list[str], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(said) - 1))
    last = data.draw(st.integers(first, len(said) - 1))
    begin = data.draw(st.integers(0, len(said[first]) - 1))
    finish = data.draw(st.integers(begin + 1 if first == last else 1, len(said[last])))

    region = regions.paragraph_span(
        "utterance", "talk", "PER", texts=said, start=(first, begin), end=(last, finish)
    )

    assert refused(CONFIG, region) == []
    read = regions.read_paragraph_span(region)
    assert (read.start, read.end, read.label) == ((first, begin), (last, finish), "PER")
    assert read.text is not None
    assert "\n".join(said).count(read.text) >= 1


@pytest.mark.parametrize(
    ("start", "end"), [((0, 0), (0, 0)), ((1, 0), (0, 2)), ((0, 0), (2, 1)), ((0, 4), (0, 5)), ((-1, 0), (0, 1))]
)
def test_what_cannot_be_a_span_of_paragraphs_is_refused(start: tuple[int, int], end: tuple[int, int]) -> None:
    with pytest.raises(RegionError, match="must be inside the 2 paragraphs, and not be empty"):
        regions.paragraph_span("utterance", "talk", "PER", texts=["Ada", "Hi"], start=start, end=end)


def test_a_broken_paragraph_number_is_refused_and_the_region_named() -> None:
    region = regions.paragraph_span("utterance", "talk", "PER", texts=["Ada"], start=(0, 0), end=(0, 1), id="r1")
    region["value"]["end"] = "/div[1]"
    with pytest.raises(RegionError, match=r"Region 'r1' of 'utterance'.*'end' must be a paragraph's number"):
        regions.read_paragraph_span(region)
