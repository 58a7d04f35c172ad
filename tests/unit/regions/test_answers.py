"""Regions that answer a question about a whole task: choices, ratings, texts, rankings, taxonomies."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_studio_ml import regions
from label_studio_ml.regions import RegionError
from tests.support.paths import DOCS
from tests.support.region_checks import refused

CONFIG = """
<View>
  <Text name="text" value="$text"/>
  <Choices name="mood" toName="text" choice="multiple"><Choice value="Happy"/><Choice value="Sad"/></Choices>
  <Taxonomy name="kind" toName="text"><Choice value="Letter"><Choice value="Private"/></Choice></Taxonomy>
  <TextArea name="summary" toName="text"/>
  <Rating name="stars" toName="text" maxRating="10"/>
  <Number name="count" toName="text"/>
  <DateTime name="when" toName="text"/>
  <Text name="other" value="$other"/>
  <Pairwise name="better" toName="text,other"/>
  <List name="results" value="$results"/>
  <Ranker name="rank" toName="results"/>
  <Labels name="entity" toName="text"><Label value="Person"/></Labels>
  <Relations><Relation value="knows"/></Relations>
</View>
"""


@given(st.lists(st.sampled_from(["Happy", "Sad"]), min_size=1, max_size=2, unique=True))
def test_choices_come_back_as_they_were(chosen: list[str]) -> None:
    for given_as in (chosen, np.array(chosen), tuple(chosen)):
        region = regions.choices("mood", "text", given_as, score=np.float32(0.5))  # type: ignore[arg-type]
        assert refused(CONFIG, region) == []
        assert regions.read_choices(region) == chosen


def test_one_choice_needs_no_list() -> None:
    for choice in ("Happy", np.str_("Happy")):
        (read,) = regions.read_choices(regions.choices("mood", "text", choice))
        assert (read, type(read)) == ("Happy", str)


@pytest.mark.parametrize(
    "paths", [["Letter", "Private"], [["Letter", "Private"]], [["Letter"], ["Letter", "Private"]]]
)
def test_taxonomy_paths_come_back_as_they_were(paths: Any) -> None:
    region = regions.taxonomy("kind", "text", paths)
    assert refused(CONFIG, region) == []
    assert regions.read_taxonomy(region) == (paths if isinstance(paths[0], list) else [paths])


def test_the_root_of_a_taxonomy_is_a_path_too() -> None:
    assert regions.taxonomy("kind", "text", "Letter")["value"] == {"taxonomy": [["Letter"]]}


@pytest.mark.parametrize("paths", [[], [[]], [["a"], "b"], [["a"], 3]])
def test_what_cannot_be_a_taxonomy_path_is_refused(paths: Any) -> None:
    with pytest.raises(RegionError, match="A taxonomy takes a path"):
        regions.taxonomy("kind", "text", paths)


@given(
    st.text(st.characters(exclude_categories=["Cs"])) | st.lists(st.text(st.characters(exclude_categories=["Cs"])))
)
def test_texts_come_back_as_they_were(text: str | list[str]) -> None:
    region = regions.text_area("summary", "text", text)
    assert refused(CONFIG, region) == []
    assert regions.read_text_area(region) == ([text] if isinstance(text, str) else text)


@given(st.integers(0, 10))
def test_ratings_come_back_as_they_were(stars: int) -> None:
    for given_as in (stars, float(stars), np.int64(stars), np.array([stars])):
        region = regions.rating("stars", "text", given_as)
        assert refused(CONFIG, region) == []
        assert regions.read_rating(region) == stars


@pytest.mark.parametrize("stars", [-1, 2.5, math.nan, "3", None, True])
def test_what_cannot_be_a_rating_is_refused(stars: Any) -> None:
    with pytest.raises(RegionError, match="rating"):
        regions.rating("stars", "text", stars)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15))
def test_numbers_come_back_as_they_were(value: float) -> None:
    region = regions.number("count", "text", value)
    assert refused(CONFIG, region) == []
    assert regions.read_number(region) == value
    assert type(region["value"]["number"]) is type(value)


def test_dates_and_times_are_written_as_label_studio_does() -> None:
    day = datetime.date(2024, 2, 9)
    time = datetime.time(7, 5, 59)
    moments: list[tuple[Any, str]] = [
        (datetime.datetime.combine(day, time), "2024-02-09T07:05"),
        (day, "2024-02-09"),
        (time, "07:05"),
        ("February 2024", "February 2024"),
    ]
    for moment, written in moments:
        region = regions.date_time("when", "text", moment)
        assert refused(CONFIG, region) == []
        assert regions.read_date_time(region) == written


def test_comparisons_come_back_as_they_were() -> None:
    for side in ("left", "right"):
        region = regions.pairwise("better", "text", side)
        assert refused(CONFIG, region) == []
        assert regions.read_pairwise(region) == side
    with pytest.raises(RegionError, match="picks 'left' or 'right', not 'both'"):
        regions.pairwise("better", "text", "both")  # type: ignore[arg-type]


def test_rankings_come_back_as_they_were() -> None:
    plain = regions.ranker("rank", "results", ["b", "a"])
    buckets = regions.ranker("rank", "results", {"best": ["a"], "rest": []})
    assert refused(CONFIG, plain, buckets) == []
    assert regions.read_ranker(plain) == {"rank": ["b", "a"]}
    assert regions.read_ranker(buckets) == {"best": ["a"], "rest": []}


def test_relations_come_back_as_they_were() -> None:
    ada = regions.text_span("entity", "text", "Person", text="Ada knows Bob", start=0, end=3)
    bob = regions.text_span("entity", "text", "Person", text="Ada knows Bob", start=10, end=13)
    known = regions.relation(ada, bob, "knows", direction="bi")
    assert refused(CONFIG, ada, bob, known, regions.relation(bob, ada)) == []
    read = regions.read_relation(known)
    assert (read.from_id, read.to_id, read.direction, read.labels) == (ada["id"], bob["id"], "bi", ("knows",))


def test_relations_need_two_regions_and_a_direction() -> None:
    ada = regions.text_span("entity", "text", "Person", text="Ada", start=0, end=3)
    with pytest.raises(RegionError, match="needs two regions with ids"):
        regions.relation(ada, {})
    with pytest.raises(RegionError, match="'right', 'left' or 'bi', not 'up'"):
        regions.relation(ada, ada, direction="up")  # type: ignore[arg-type]
    with pytest.raises(RegionError, match="must have 'from_id'; this has: id"):
        regions.read_relation({"id": "x"})


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (regions.read_choices, {"choices": "Happy"}),
        (regions.read_choices, {"rating": 3}),
        (regions.read_taxonomy, {"taxonomy": "Letter"}),
        (regions.read_taxonomy, {"taxonomy": ["Letter"]}),
        (regions.read_text_area, {"text": 3}),
        (regions.read_rating, {"rating": "3"}),
        (regions.read_number, {"number": None}),
        (regions.read_date_time, {}),
        (regions.read_pairwise, {}),
        (regions.read_ranker, {"ranker": ["a"]}),
        (regions.read_ranker, {"ranker": {"rank": "a"}}),
        (regions.read_choices, None),
    ],
)
def test_an_error_of_a_reader_names_the_region(read: Any, value: Any) -> None:
    with pytest.raises(RegionError, match=r"^Region 'r1' of 'mood'"):
        read({"id": "r1", "from_name": "mood", "type": "choices", "value": value})


def test_annotated_gives_what_people_made_with_a_control() -> None:
    happy, stars = regions.choices("mood", "text", "Happy"), regions.rating("stars", "text", 3)
    tasks: list[dict[str, Any]] = [
        {"id": 1, "annotations": [{"result": [happy, stars], "was_cancelled": False}]},
        {"id": 2, "annotations": [{"result": [happy], "was_cancelled": True}]},
        {"id": 3, "annotations": [{"result": [stars]}, {"result": None}]},
        {"id": 4},
    ]
    assert [(task["id"], region) for task, region in regions.annotated(tasks, "mood")] == [(1, happy)]
    together = [(task["id"], found) for task, found in regions.annotated_tasks(tasks, "mood")]
    assert together == [(1, [happy]), (3, []), (3, [])]


def test_every_region_gets_an_id_of_its_own_unless_one_is_given() -> None:
    made = {regions.rating("stars", "text", 3)["id"] for _ in range(100)}
    assert len(made) == 100
    assert regions.rating("stars", "text", 3, id="mine")["id"] == "mine"


def test_everything_public_is_exported_and_has_its_reader() -> None:
    public = set(regions.__all__)
    assert sorted(public) == regions.__all__
    assert all(hasattr(regions, name) for name in public)
    builders = {name for name in public if name.islower()} - {
        "annotated",
        "annotated_tasks",
        "html_text",
        "token_spans",
    }
    readers = {name for name in builders if name.startswith("read_")}
    assert {f"read_{name}" for name in builders - readers} == readers


def test_the_page_about_regions_names_every_function() -> None:
    page = (DOCS / "regions.md").read_text()
    builders = {name for name in regions.__all__ if name.islower() and not name.startswith("read_")}
    assert {name for name in builders if f"{name}(" not in page} == set()
