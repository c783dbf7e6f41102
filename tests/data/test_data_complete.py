"""Boxes and areas from masks: known answers, several parts, what is kept and what is told."""

from dataclasses import replace

import numpy as np
import pytest
from prepare_sets import records

from nbhelpers.data import complete, complete_with_changes, load_coco, mask_to_rle

SQUARES = [[2, 3, 7, 3, 7, 8, 2, 8], [20, 30, 24, 30, 24, 32, 20, 32]]  # 5x5 and 4x2, in two parts


def one(**entry):
    coco = records({1: [1]})
    return replace(coco, annotations=[{"id": 7, "image_id": 1, "category_id": 1, **entry}])


def test_one_box_round_several_parts():
    entry = complete(one(segmentation=SQUARES)).annotations[0]
    assert entry["bbox"] == [2, 3, 22, 29]
    assert entry["area"] == 5 * 5 + 4 * 2
    assert entry["iscrowd"] == 0


@pytest.mark.parametrize("crowd", [0, 1])
def test_rle_of_both_spellings(crowd):
    mask = np.zeros((48, 64), dtype=bool)
    mask[10:20, 5:9] = True
    mask[40, 60] = True
    runs = np.diff(np.flatnonzero(np.diff(np.r_[0, mask.ravel(order="F"), 0])), prepend=0, append=0)
    counts = np.r_[runs[:-1], mask.size - runs[:-1].sum()].tolist()
    for segmentation in (mask_to_rle(mask), {"size": [48, 64], "counts": counts}):
        entry = complete(one(segmentation=segmentation, iscrowd=crowd)).annotations[0]
        assert (entry["bbox"], entry["area"], entry["iscrowd"]) == ([5, 10, 56, 31], 41, crowd)


def test_box_within_a_pixel_is_kept_and_one_further_is_not():
    near, far = [1.4, 3, 22.9, 29.2], [0.5, 3, 24, 29]
    kept, changes = complete_with_changes(one(segmentation=SQUARES, bbox=near, area=33, iscrowd=0))
    assert kept.annotations[0]["bbox"] == near
    assert changes == []
    moved, changes = complete_with_changes(one(segmentation=SQUARES, bbox=far, area=33, iscrowd=0))
    assert moved.annotations[0]["bbox"] == [2, 3, 22, 29]
    assert [(c.annotation_id, c.key, c.old) for c in changes] == [(7, "bbox", far)]


def test_box_by_the_points_of_a_thin_tip_is_kept():
    needle = [[2, 3, 40, 3.2, 2, 8]]  # its tip covers no pixel: the pixels end well before x = 40
    pixels = complete(one(segmentation=needle)).annotations[0]["bbox"]
    assert pixels[0] + pixels[2] <= 38
    given = [2, 3, 38, 5]
    assert complete(one(segmentation=needle, bbox=given)).annotations[0]["bbox"] == given


def test_wrong_area_is_told_and_a_near_one_kept():
    _, changes = complete_with_changes(one(segmentation=SQUARES, bbox=[2, 3, 22, 29], area=638, iscrowd=0))
    assert [(c.key, c.old, c.new) for c in changes] == [("area", 638, 33)]
    done, changes = complete_with_changes(
        one(segmentation=SQUARES, bbox=[2, 3, 22, 29], area=33.4, iscrowd=0)
    )
    assert (done.annotations[0]["area"], changes) == (33.4, [])


def test_without_mask_the_box_gives_the_area():
    assert complete(one(bbox=[1, 2, 3, 4])).annotations[0]["area"] == 12
    assert complete(one(bbox=[1, 2, 3, 4], area=5, segmentation=[])).annotations[0]["area"] == 5


def test_the_given_set_is_not_changed():
    coco = one(segmentation=SQUARES)
    complete(coco)
    assert "bbox" not in coco.annotations[0]


def test_completing_twice_changes_nothing(shared_data):
    once = complete(load_coco(shared_data / "coco/nuts/trainval.json"))
    twice, changes = complete_with_changes(once)
    assert twice.annotations == once.annotations
    assert changes == []


def test_published_boxes_and_areas_are_kept(shared_data):
    coco = load_coco(shared_data / "coco/eval_reference/instances_val2014_100.json", shared_data)
    _, changes = complete_with_changes(coco)
    assert len(changes) <= 0.005 * len(coco.annotations), changes
