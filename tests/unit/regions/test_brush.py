"""Brush masks: what a model draws comes back exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from label_studio_ml import regions
from label_studio_ml.regions import RegionError
from tests.support.region_checks import refused

CONFIG = """
<View>
  <Image name="image" value="$image"/>
  <BrushLabels name="mask" toName="image"><Label value="Sky"/></BrushLabels>
  <Brush name="bare" toName="image"/>
</View>
"""

masks = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=24)).filter(
    lambda mask: mask.any()
)


@given(masks, st.sampled_from([bool, np.uint8, np.int64, np.float32]), st.booleans())
def test_a_mask_comes_back_exactly(mask: npt.NDArray[np.bool_], kind: Any, labelled: bool) -> None:
    name, label = ("mask", "Sky") if labelled else ("bare", None)
    region = regions.brush(name, "image", label, mask=mask.astype(kind))
    assert refused(CONFIG, region) == []
    read = regions.read_brush(region)
    assert read.label == label
    assert np.array_equal(read.mask, mask)


def test_a_large_mask_with_long_runs_comes_back_exactly() -> None:
    rows, columns = np.mgrid[:1080, :1920]
    mask = (columns - 900) ** 2 + (rows - 500) ** 2 < 400**2
    region = regions.brush("mask", "image", "Sky", mask=mask)
    assert (region["original_width"], region["original_height"]) == (1920, 1080)
    assert np.array_equal(regions.read_brush(region).mask, mask)


def test_the_half_transparent_edge_of_a_stroke_is_cut_in_the_middle() -> None:
    from label_studio_sdk.converter.brush import encode_rle

    region = regions.brush("mask", "image", "Sky", mask=[[1, 1, 1]])
    region["value"]["rle"] = encode_rle(np.repeat(np.array([255, 200, 50], np.uint8), 4))
    assert regions.read_brush(region).mask.tolist() == [[True, True, False]]


@pytest.mark.parametrize("mask", [np.ones((1, 2, 3)), np.ones((1, 1, 2, 3), bool), [[1, 1, 1], [1, 1, 1]]])
def test_batches_of_one_and_nested_lists_are_masks_too(mask: Any) -> None:
    assert regions.read_brush(regions.brush("mask", "image", "Sky", mask=mask)).mask.tolist() == [[True] * 3] * 2


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones(5), r"has the shape \(height, width\), not \(5,\)"),
        (np.ones((2, 4, 4)), r"not \(2, 4, 4\)"),
        (np.ones((0, 4)), r"not \(0, 4\)"),
        (np.full((2, 2), 0.3), "holds probabilities; say which count"),
        (np.full((2, 2), np.nan), "holds probabilities"),
        (np.full((2, 2), "a"), "bools or numbers"),
        (np.zeros((2, 2), bool), "marks no pixel"),
    ],
)
def test_what_cannot_be_a_mask_is_refused_with_the_reason(mask: Any, message: str) -> None:
    with pytest.raises(RegionError, match=message):
        regions.brush("mask", "image", "Sky", mask=mask)


@given(st.lists(st.integers(0, 255), max_size=40))
def test_a_broken_code_is_refused_and_the_region_named(rle: list[int]) -> None:
    good = regions.brush("mask", "image", "Sky", mask=np.eye(3, dtype=bool), id="r1")
    broken = {**good, "value": {**good["value"], "rle": [0, 0, 0, 36, *rle]}}
    refusal, shape = None, None
    try:
        shape = regions.read_brush(broken).mask.shape
    except RegionError as error:
        refusal = str(error)
    assert shape == (3, 3) if refusal is None else refusal.startswith("Region 'r1' of 'mask'")


@pytest.mark.parametrize(
    ("rle", "message"),
    [([0, 0, 0, 4], "is not for an image of 3x3"), ([255] * 9, "is not for"), ([-1], "broken"), ("ab", "broken")],
)
def test_a_code_for_another_image_is_refused_before_memory_is_taken_for_it(rle: Any, message: str) -> None:
    good = regions.brush("mask", "image", "Sky", mask=np.eye(3, dtype=bool))
    with pytest.raises(RegionError, match=message):
        regions.read_brush({**good, "value": {**good["value"], "rle": rle}})
