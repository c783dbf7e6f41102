"""Masks in all spellings: known values, round trips, equality with pycocotools, malformed ones refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask
from scipy import ndimage

from nbhelpers.data.masks import box_from_mask, mask_area, mask_to_polygons, mask_to_rle, to_mask, to_rle
from nbhelpers.data.rle import measure, runs_from_lists, runs_from_strings
from nbhelpers.errors import BadInput

MASKS = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(lambda shape: arrays(bool, shape))


def uncompressed(mask: np.ndarray) -> dict[str, Any]:
    """COCO's uncompressed runs, the plain way."""
    counts, value, run = [], False, 0
    for pixel in mask.ravel(order="F"):
        if pixel != value:
            counts.append(run)
            value, run = pixel, 0
        run += 1
    return {"size": list(mask.shape), "counts": [*counts, run]}


def test_the_three_spellings_of_one_rectangle() -> None:
    expected = np.zeros((10, 12), dtype=bool)
    expected[2:5, 3:7] = True
    for segmentation in ([[3, 2, 7, 2, 7, 5, 3, 5]], mask_to_rle(expected), uncompressed(expected)):
        np.testing.assert_array_equal(to_mask(segmentation, 10, 12), expected)
        assert mask_area(to_rle(segmentation, 10, 12)) == 12
        assert box_from_mask(to_rle(segmentation, 10, 12)) == [3, 2, 4, 3]


def test_several_polygons_are_united() -> None:
    both = [[0, 0, 4, 0, 4, 4, 0, 4], [2, 0, 6, 0, 6, 4, 2, 4]]
    assert mask_area(to_mask(both, 8, 8)) == 24
    assert box_from_mask(to_mask(both, 8, 8)) == [0, 0, 6, 4]


def test_an_empty_mask_has_a_box_of_zeros() -> None:
    assert box_from_mask(np.zeros((4, 5), dtype=bool)) == [0, 0, 0, 0]
    assert mask_to_polygons(np.zeros((4, 5), dtype=bool)) == []


@given(MASKS)
def test_runs_round_trip(mask: np.ndarray) -> None:
    for rle in (mask_to_rle(mask), uncompressed(mask)):
        np.testing.assert_array_equal(to_mask(rle, *mask.shape), mask)
        assert mask_area(rle) == mask.sum()
    assert isinstance(mask_to_rle(mask)["counts"], str)


@settings(max_examples=150)
@given(MASKS)
def test_outlines_drawn_again_give_the_same_pixels_with_holes_filled(mask: np.ndarray) -> None:
    polygons = mask_to_polygons(mask)
    drawn = to_mask(polygons, *mask.shape) if polygons else np.zeros_like(mask)
    np.testing.assert_array_equal(drawn, ndimage.binary_fill_holes(mask))


@settings(max_examples=100)
@given(st.lists(MASKS, max_size=6))
def test_measures_agree_with_pycocotools(masks: list[np.ndarray]) -> None:
    heights = np.array([len(mask) for mask in masks], dtype=np.int64)
    widths = np.array([mask.shape[1] for mask in masks], dtype=np.int64)
    rles = [mask_to_rle(mask) for mask in masks]
    for runs in (
        runs_from_strings([rle["counts"] for rle in rles]),
        runs_from_lists([uncompressed(mask)["counts"] for mask in masks]),
    ):
        found = measure(runs, heights, widths)
        assert found.valid.all()
        assert found.area.tolist() == [mask.sum() for mask in masks]
        assert found.boxes_xywh.tolist() == [coco_mask.toBbox(rle).tolist() for rle in rles]


def test_one_broken_mask_does_not_spoil_its_neighbours() -> None:
    good = mask_to_rle(np.eye(9, dtype=bool))["counts"]
    strings = ["", good, good[:-1] + "z", "é" + good, good + "0", good, "o" * 40, good]
    found = measure(runs_from_strings(strings), np.full(8, 9), np.full(8, 9))
    assert found.valid.tolist() == [False, True, False, False, False, True, False, True]
    assert found.area.tolist() == [0, 9, 0, 0, 0, 9, 0, 9]


@settings(max_examples=300)
@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=12))
def test_any_string_is_either_refused_or_decodes(text: str) -> None:
    rle = {"size": [6, 7], "counts": text}
    try:
        mask = to_mask(rle, 6, 7)
    except BadInput:
        return
    assert mask.shape == (6, 7)
    assert mask.sum() == measure(runs_from_strings([text]), np.array([6]), np.array([7])).area[0]


@pytest.mark.parametrize(
    "segmentation",
    [
        None,
        [],
        [[]],
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, 5]],
        [[1, 2, 3, 4, 5, 6, 7]],
        [["1", "2", "3", "4", "5", "6"]],
        [[1, 2, 3, float("nan"), 5, 6]],
        [[1, 2, 3, 1e12, 5, 6]],
        [[True, 2, 3, 4, 5, 6]],
        [[[1, 2], [3, 4], [5]]],
        {},
        {"size": [6, 7]},
        {"size": [7, 6], "counts": [42]},
        {"size": [6], "counts": [42]},
        {"size": [6, 7], "counts": [41]},
        {"size": [6, 7], "counts": [43]},
        {"size": [6, 7], "counts": [-1, 43]},
        {"size": [6, 7], "counts": [10**30]},
        {"size": [6, 7], "counts": [1.5, 40.5]},
        {"size": [6, 7], "counts": "ooooo"},
        {"size": [6, 7], "counts": "P"},
        {"size": [6, 7], "counts": 5},
    ],
)
def test_malformed_segmentations_are_refused_before_c_code(segmentation: Any) -> None:
    with pytest.raises(BadInput):
        to_rle(segmentation, 6, 7)
