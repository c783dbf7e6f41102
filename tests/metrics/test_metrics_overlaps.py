"""IoU of boxes and masks: known answers, bounds, symmetry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbhelpers.errors import BadInput
from nbhelpers.metrics import box_iou, mask_iou


def test_known_boxes():
    found = box_iou(np.array([[0, 0, 10, 10]]), np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]]))
    np.testing.assert_allclose(found, [[1.0, 50 / 150, 0.0]])
    assert box_iou(np.zeros((0, 4)), np.ones((2, 4))).shape == (0, 2)
    assert box_iou(np.array([[3, 3, 3, 3]]), np.array([[3, 3, 3, 3]])).tolist() == [[0.0]]


coordinates = st.integers(0, 40)
box = st.tuples(coordinates, coordinates, st.integers(1, 20), st.integers(1, 20))


@given(box, box)
def test_filled_boxes_and_their_masks_agree(first, second):
    corners = np.array([[x, y, x + w, y + h] for x, y, w, h in (first, second)], float)
    masks = np.zeros((2, 64, 64), bool)
    for mask, (x, y, w, h) in zip(masks, (first, second), strict=True):
        mask[y : y + h, x : x + w] = True
    by_box, by_mask = box_iou(corners, corners), mask_iou(masks, masks)
    np.testing.assert_allclose(by_box, by_mask)
    np.testing.assert_allclose(by_box, by_box.T)
    np.testing.assert_allclose(np.diag(by_box), 1.0)


def test_masks_of_other_sizes_are_refused():
    with pytest.raises(BadInput, match="different image sizes"):
        mask_iou(np.ones((1, 4, 4), bool), np.ones((1, 5, 4), bool))
    assert mask_iou(np.zeros((0, 4, 4), bool), np.ones((2, 4, 4), bool)).shape == (0, 2)
