"""Boxes, ellipses, polygons and key points on images, turned ones and clicks included."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from label_studio_ml import regions
from label_studio_ml.errors import ModelError
from label_studio_ml.regions import RegionError
from tests.support.region_checks import refused

CONFIG = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image"><Label value="Car"/><Label value="Red"/></RectangleLabels>
  <Rectangle name="frame" toName="image"/>
  <PolygonLabels name="shape" toName="image"><Label value="Roof"/></PolygonLabels>
  <EllipseLabels name="blob" toName="image"><Label value="Cell"/></EllipseLabels>
  <KeyPointLabels name="joint" toName="image"><Label value="Nose"/></KeyPointLabels>
  <Labels name="part" toName="image"><Label value="Word"/></Labels>
  <TextArea name="read" toName="image" perRegion="true"/>
</View>
"""

sizes = st.tuples(st.integers(1, 4000), st.integers(1, 4000))
shares = st.floats(0, 1)
angles = st.floats(-400, 400)
Rectangle = tuple[float, float, float, float]


@st.composite
def boxes_inside(draw: st.DrawFn) -> tuple[tuple[int, int], Rectangle]:
    """A size, and a box of at least a hundredth of a pixel inside it."""
    width, height = draw(sizes)
    left, right = sorted((draw(shares) * width, draw(shares) * width))
    top, bottom = sorted((draw(shares) * height, draw(shares) * height))
    assume(right - left > 0.01 and bottom - top > 0.01)
    return (width, height), (left, top, right, bottom)


@st.composite
def boxes_anywhere(draw: st.DrawFn) -> tuple[tuple[int, int], Rectangle]:
    """A size, and a box that may leave it, or miss it."""
    width, height = draw(sizes)
    left, top = draw(st.floats(-2, 2)) * width, draw(st.floats(-2, 2)) * height
    across, down = draw(st.floats(0.01, 2)) * width, draw(st.floats(0.01, 2)) * height
    return (width, height), (left, top, left + across, top + down)


def close(one: Any, other: Any, size: tuple[int, int]) -> bool:
    """Whether coordinates are the same, as near as floats allow."""
    return bool(np.allclose(np.asarray(one), np.asarray(other), atol=1e-9 * max(size)))


def meet(size: tuple[int, int], box: Rectangle) -> Rectangle:
    return max(box[0], 0), max(box[1], 0), min(box[2], size[0]), min(box[3], size[1])


# --- rectangles ---


@given(boxes_inside(), st.sampled_from(["xyxy", "xywh", "cxcywh"]), st.booleans())
def test_a_box_comes_back_as_it_was(given_box: Any, form: str, normalized: bool) -> None:
    size, (left, top, right, bottom) = given_box
    x_scale, y_scale = size if normalized else (1, 1)
    across, down = right - left, bottom - top
    as_given = {
        "xyxy": (left, top, right, bottom),
        "xywh": (left, top, across, down),
        "cxcywh": (left + across / 2, top + down / 2, across, down),
    }[form]
    scaled = np.array(as_given) / (x_scale, y_scale, x_scale, y_scale)
    boxes: dict[str, Any] = {form: scaled}

    region = regions.rectangle("box", "image", "Car", **boxes, size=size, normalized=normalized, score=0.5)

    assert refused(CONFIG, region) == []
    read = regions.read_rectangle(region)
    assert close(read.xyxy, (left, top, right, bottom), size)
    assert (read.labels, read.score, read.rotation) == (("Car",), 0.5, 0)


@given(boxes_anywhere())
def test_a_box_that_leaves_the_image_is_cut_and_one_outside_is_refused(given_box: Any) -> None:
    size, box = given_box
    cut = meet(size, box)
    if cut[0] >= cut[2] or cut[1] >= cut[3]:
        with pytest.raises(RegionError, match="lies outside the image"):
            regions.rectangle("box", "image", "Car", xyxy=box, size=size)
        return
    region = regions.rectangle("box", "image", "Car", xyxy=box, size=size)
    assert refused(CONFIG, region) == []
    assert close(regions.read_rectangle(region).xyxy, cut, size)
    assert all(0 <= region["value"][field] <= 100 for field in ("x", "y", "width", "height"))


@given(boxes_anywhere(), angles)
def test_a_turned_box_keeps_its_shape_or_becomes_the_visible_part_of_its_bounds(
    given_box: Any, rotation: float
) -> None:
    size, box = given_box
    meant = regions.Box(id=None, score=None, xyxy=box, rotation=rotation)
    bounds = (*np.min(meant.corners, axis=0), *np.max(meant.corners, axis=0))
    cut = meet(size, bounds)
    assume(rotation % 360 != 0 and cut[2] - cut[0] > 1e-6 and cut[3] - cut[1] > 1e-6)

    region = regions.rectangle("box", "image", "Car", xyxy=box, rotation=rotation, size=size)

    assert refused(CONFIG, region) == []
    assert all(0 <= region["value"][field] <= 100 for field in ("x", "y", "width", "height"))
    assert 0 <= region["value"]["rotation"] < 360
    read = regions.read_rectangle(region)
    same = close(sorted(read.corners), sorted(meant.corners), size) or all(
        min(math.dist(corner, other) for other in meant.corners) < 1e-6 * max(size) for corner in read.corners
    )
    assert same or (read.rotation == 0 and close(read.xyxy, cut, size))


@given(boxes_inside(), angles)
def test_turning_is_what_opencv_calls_turning(given_box: Any, rotation: float) -> None:
    _, (left, top, right, bottom) = given_box
    box = regions.Box(id=None, score=None, xyxy=(left, top, right, bottom), rotation=rotation)
    centre, sides = ((left + right) / 2, (top + bottom) / 2), (right - left, bottom - top)
    expected: Any = cv2.boxPoints((centre, sides, rotation)).tolist()
    for corner in box.corners:
        assert min(math.dist(corner, other) for other in expected) < 0.01


def test_a_tall_object_on_a_narrow_image_is_stored_standing() -> None:
    turned = regions.rectangle("box", "image", "Car", cxcywh=(50, 500, 800, 50), rotation=90, size=(100, 1000))
    assert refused(CONFIG, turned) == []
    assert turned["value"]["width"] == pytest.approx(50)
    assert turned["value"]["height"] == pytest.approx(80)


class Tensor:
    """Like a tensor on a GPU: no array, but `tolist()`."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def tolist(self) -> Any:
        return self.value


@pytest.mark.parametrize(
    "box",
    [
        (10, 20, 30, 40),
        [10.0, 20.0, 30.0, 40.0],
        np.array([10, 20, 30, 40], np.float16),
        np.array([[10, 20, 30, 40]], np.int64),
        list(np.array([10, 20, 30, 40], np.float32)),
        Tensor([10.0, 20.0, 30.0, 40.0]),
        [Tensor(10), Tensor(20), Tensor(30), Tensor(40)],
    ],
)
def test_boxes_come_in_whatever_models_put_them_in(box: Any) -> None:
    region = regions.rectangle("box", "image", ["Car", "Red"], xyxy=box, size=np.array([100, 100]))  # type: ignore[arg-type]
    assert refused(CONFIG, region) == []
    assert regions.read_rectangle(region).xyxy == pytest.approx((10, 20, 30, 40))
    assert {type(number) for number in list(region["value"].values())[:4]} == {float}


def test_without_a_label_a_box_is_one_of_a_plain_rectangle() -> None:
    region = regions.rectangle("frame", "image", xywh=(0, 0, 5, 5), size=(10, 10))
    assert region["type"] == "rectangle"
    assert refused(CONFIG, region) == []
    assert regions.read_rectangle(region).label is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Pass one of xyxy=, xywh= and cxcywh=; got none"),
        ({"xyxy": (0, 0, 1, 1), "xywh": (0, 0, 1, 1)}, "got xyxy, xywh"),
        ({"xyxy": (0, 0, 1)}, "The box xyxy must be 4 numbers"),
        ({"xyxy": None, "xywh": "abcd"}, "The box xywh must be 4 numbers, not 'abcd'"),
        ({"xyxy": (0, 0, math.nan, 1)}, "The box xyxy must be a finite number, not nan"),
        ({"xyxy": (0, 0, math.inf, 1)}, "must be a finite number, not inf"),
        ({"xyxy": (0, 0, "1", 1)}, "must be a number, not '1'"),
        ({"xyxy": (5, 5, 5, 9)}, r"The box xyxy=\[5, 5, 5, 9\] is empty"),
        ({"xyxy": (9, 9, 5, 5)}, "is empty: right must be beyond left"),
        ({"xyxy": (10, 0, 20, 10)}, r"The box \(10, 0, 20, 10\) lies outside the image, which is 10x10 pixels"),
        ({"xyxy": (0, 0, 1, 1), "size": (0, 10)}, r"The size must be \(width, height\) in pixels, not \(0, 10\)"),
        ({"xyxy": (0, 0, 1, 1), "size": 10}, "The size must be 2 numbers"),
        ({"xyxy": (0, 0, 1, 1), "score": 1.5}, "The score for 'box' must be from 0 to 1, not 1.5"),
        ({"xyxy": (0, 0, 1, 1), "score": math.nan}, "The score for 'box' must be a finite number"),
        ({"xyxy": (0, 0, 1, 1), "rotation": math.nan}, "The rotation must be a finite number"),
    ],
)
def test_what_cannot_be_a_box_is_refused_with_the_reason(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RegionError, match=message) as refusal:
        regions.rectangle("box", "image", "Car", **{"size": (10, 10), **arguments})
    assert isinstance(refusal.value, ModelError)


# --- polygons ---


@given(sizes, st.lists(st.tuples(shares, shares), min_size=3, max_size=20))
def test_a_polygon_inside_comes_back_as_it_was(size: tuple[int, int], points: list[tuple[float, float]]) -> None:
    inside = np.array(points) * size
    for form in (inside, inside.reshape(-1, 1, 2), inside.tolist()):
        region = regions.polygon("shape", "image", "Roof", points=form, size=size)
        assert refused(CONFIG, region) == []
        assert close(regions.read_polygon(region).points, inside, size)


corner = st.tuples(st.integers(-150, 250), st.integers(-150, 250))


@given(st.tuples(corner, corner, corner))
def test_a_polygon_that_leaves_the_image_keeps_the_area_that_is_inside(points: Any) -> None:
    image = np.array([[0, 0], [100, 0], [100, 100], [0, 100]], np.float32)
    triangle = np.array(points, np.float32)
    area, _ = cv2.intersectConvexConvex(image, triangle)
    assume(area > 0.5)
    read = regions.read_polygon(regions.polygon("shape", "image", "Roof", points=points, size=(100, 100)))
    assert cv2.contourArea(np.array(read.points, np.float32)) == pytest.approx(area, rel=1e-3)


def test_a_contour_of_opencv_is_a_polygon() -> None:
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20, 30:50] = 1
    (contour,), _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    read = regions.read_polygon(regions.polygon("shape", "image", "Roof", points=contour, size=(64, 48)))
    assert close(sorted(read.points), [(30, 10), (30, 19), (49, 10), (49, 19)], (64, 48))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([(0, 0), (1, 1)], "three points or more, not 2"),
        ([(0, 0), (1, 1), (2,)], "Point 2 must be 2 numbers"),
        ([(0, 0), (1, 1), (2, math.nan)], "Point 2 must be a finite number"),
        ([(-5, 0), (-1, 1), (-2, 9)], "The polygon lies outside the image"),
        (7, "The points must be"),
    ],
)
def test_what_cannot_be_a_polygon_is_refused_with_the_reason(points: Any, message: str) -> None:
    with pytest.raises(RegionError, match=message):
        regions.polygon("shape", "image", "Roof", points=points, size=(10, 10))


# --- ellipses and points ---


@given(boxes_inside(), angles)
def test_an_ellipse_comes_back_as_it_was(given_box: Any, rotation: float) -> None:
    size, (left, top, right, bottom) = given_box
    region = regions.ellipse("blob", "image", "Cell", xyxy=(left, top, right, bottom), rotation=rotation, size=size)
    assert refused(CONFIG, region) == []
    read = regions.read_ellipse(region)
    assert close(read.center, ((left + right) / 2, (top + bottom) / 2), size)
    assert close(read.radii, ((right - left) / 2, (bottom - top) / 2), size)
    assert read.rotation == rotation % 360


@given(boxes_anywhere(), angles)
def test_an_ellipse_with_its_centre_inside_is_stored_within_bounds(given_box: Any, rotation: float) -> None:
    size, box = given_box
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    if not (0 < x < size[0] and 0 < y < size[1]):
        with contextlib.suppress(RegionError):  # it may reach into the image all the same
            region = regions.ellipse("blob", "image", "Cell", xyxy=box, rotation=rotation, size=size)
            assert refused(CONFIG, region) == []
        return
    region = regions.ellipse("blob", "image", "Cell", xyxy=box, rotation=rotation, size=size)
    assert refused(CONFIG, region) == []
    assert all(0 <= region["value"][field] <= 100 for field in ("x", "y"))
    assert all(0 < region["value"][field] <= 50 for field in ("radiusX", "radiusY"))


@given(sizes, shares, shares)
def test_a_point_comes_back_as_it_was(size: tuple[int, int], across: float, down: float) -> None:
    point = np.array([across, down])
    region = regions.keypoint("joint", "image", "Nose", xy=point, size=size, normalized=True)
    assert refused(CONFIG, region) == []
    assert close(regions.read_keypoint(region).xy, point * size, size)


def test_a_point_outside_is_refused() -> None:
    with pytest.raises(RegionError, match=r"The point \(11, 5\) lies outside the image"):
        regions.keypoint("joint", "image", "Nose", xy=(11, 5), size=(10, 10))


def test_a_click_that_says_not_here_is_read_as_one() -> None:
    clicked = regions.keypoint("joint", "image", "Nose", xy=(1, 5), size=(10, 10))
    assert regions.read_keypoint(clicked).positive
    assert not regions.read_keypoint({**clicked, "is_positive": False}).positive


# --- words ---


def test_words_share_an_id_and_come_back_with_their_text() -> None:
    total = regions.ocr("frame", "image", "Word", text="Total", text_name="read", label_name="part",
                        xyxy=(1, 2, 30, 9), size=(100, 50), score=0.9)  # fmt: skip
    price = regions.ocr("box", "image", "Car", text="3.50", text_name="read", xywh=(40, 2, 20, 7), size=(100, 50))
    plain = regions.rectangle("frame", "image", xyxy=(0, 0, 5, 5), size=(100, 50))
    assert refused(CONFIG, *total, *price, plain) == []
    assert [part["type"] for part in total] == ["rectangle", "labels", "textarea"]
    assert [part["type"] for part in price] == ["rectanglelabels", "textarea"]
    assert len({part["id"] for part in total}) == 1

    first, second = regions.read_ocr([*total, *price, plain], "read")
    assert (first.text, first.label, first.score) == ("Total", "Word", 0.9)
    assert first.xyxy == pytest.approx((1, 2, 30, 9))
    assert (second.text, second.label) == ("3.50", "Car")
    assert second.xywh == pytest.approx((40, 2, 20, 7))


# --- reading what others stored ---


@pytest.mark.parametrize(
    ("read", "region", "message"),
    [
        (regions.read_rectangle, {"value": {"x": 1}, "original_width": 5, "original_height": 5}, "has no 'y'"),
        (regions.read_rectangle, {"value": {"x": 1}}, "does not say how large its image is; pass size="),
        (regions.read_rectangle, {}, "has no value|does not say"),
        (regions.read_polygon, {"value": {"x": 1}}, "has no 'points'; its value has: x"),
        (
            regions.read_polygon,
            {"value": {"points": [[1, "a"]]}, "original_width": 5, "original_height": 5},
            "Point 0 must be a number, not 'a'",
        ),
        (
            regions.read_ellipse,
            {"value": {"x": None}, "original_width": 5, "original_height": 5},
            "'x' must be a number, not None",
        ),
    ],
)
def test_an_error_of_a_reader_names_the_region(read: Any, region: dict[str, Any], message: str) -> None:
    with pytest.raises(RegionError, match=message) as refusal:
        read({"id": "r7", "from_name": "tool", "type": "any", **region})
    assert str(refusal.value).startswith("Region 'r7' of 'tool' (any)")


def test_a_size_that_is_passed_goes_before_the_stored_one() -> None:
    region = regions.rectangle("box", "image", "Car", xyxy=(1, 1, 5, 5), size=(10, 10))
    assert regions.read_rectangle(region, size=(20, 10)).xyxy == pytest.approx((2, 1, 10, 5))
