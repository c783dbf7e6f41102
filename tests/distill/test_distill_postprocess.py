"""Letterbox and decode: exact round trips, and the same answers as ultralytics' own predict."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbhelpers.distill import build_student, decode, letterbox, load_student
from nbhelpers.distill.masks import mask_patches, mask_stack
from nbhelpers.distill.postprocess import candidates, place
from nbhelpers.errors import BadInput
from nbhelpers.metrics import mask_iou

sides = st.integers(1, 2000)


@settings(deadline=None, max_examples=60)
@given(sides, sides, st.sampled_from([32, 160, 320, 640]), st.data())
def test_boxes_come_back_to_half_a_pixel(width, height, size, data):
    placed = place(width, height, size)
    x = data.draw(st.lists(st.floats(0, width), min_size=2, max_size=2))
    y = data.draw(st.lists(st.floats(0, height), min_size=2, max_size=2))
    boxes = np.array([[min(x), min(y), max(x), max(y)]], np.float32)
    there = placed.to_input(boxes)
    assert (there >= -1e-3).all() and (there <= size + 1e-3).all()
    np.testing.assert_allclose(placed.to_image(there), boxes, atol=0.5)


@pytest.mark.parametrize("shape", [(600, 800), (801, 333), (160, 160), (7, 900)])
def test_pixels_equal_ultralytics_letterbox(shape):
    build_student("yolov8", ["a"], image_size=32)  # sets ultralytics up
    from ultralytics.data.augment import LetterBox

    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    pixels, placed = letterbox(image, 320)
    wanted = LetterBox((320, 320), auto=False)(image=image)
    assert pixels.dtype == np.float32 and pixels.flags.c_contiguous
    np.testing.assert_array_equal((pixels * 255).round().astype(np.uint8).transpose(1, 2, 0), wanted)
    assert (placed.width, placed.height) == shape[::-1]


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_other_arrays_are_refused(bad):
    with pytest.raises(BadInput, match="height x width x 3, uint8, RGB"):
        letterbox(bad, 32)


def raw(rows, classes=2):
    """Raw output (1, 4 + classes, anchors) of rows (x, y, w, h, scores...)."""
    return np.array(rows, np.float32).reshape(-1, 4 + classes).T[None]


def test_suppression_is_class_wise():
    rows = [
        [50, 50, 20, 20, 0.9, 0.0],
        [51, 50, 20, 20, 0.8, 0.0],
        [50, 50, 20, 20, 0.0, 0.7],
        [9, 9, 4, 4, 0.1, 0.2],
    ]
    found = candidates(raw(rows), 0, 0.25, 0.5)
    assert found.classes.tolist() == [0, 1]
    np.testing.assert_allclose(found.scores, [0.9, 0.7])
    np.testing.assert_allclose(found.boxes_xyxy[0], [40, 40, 60, 60])


def test_one_box_may_give_several_classes():
    rows = [[50, 50, 20, 20, 0.9, 0.6]]
    assert candidates(raw(rows), 0, 0.25, 0.5).classes.tolist() == [0]
    assert candidates(raw(rows), 0, 0.25, 0.5, multi_label=True).classes.tolist() == [0, 1]


def test_nothing_found_has_the_right_shapes():
    image = np.zeros((30, 40, 3), np.uint8)
    _, placed = letterbox(image, 32)
    found = decode([raw([[5, 5, 2, 2, 0.1, 0.1]])], placed, "detect", class_names=["a", "b"])
    assert found.xyxy.shape == (0, 4) and found.mask is None
    none = np.zeros((1, 4 + 2 + 32, 21), np.float32)
    found = decode([none, np.zeros((1, 32, 8, 8), np.float32)], placed, "segment")
    assert found.mask.shape == (0, 30, 40) and found.mask.dtype == bool


def test_batches_and_nonsense_are_refused():
    _, placed = letterbox(np.zeros((8, 8, 3), np.uint8), 32)
    with pytest.raises(BadInput, match="one image of the batch"):
        decode([np.zeros((2, 6, 21), np.float32)], placed, "detect")
    with pytest.raises(BadInput, match="no class scores"):
        candidates(np.zeros((1, 36, 21), np.float32), 32, 0.5, 0.5)


def test_a_drawn_mask_comes_back_at_image_resolution():
    """A prototype that is a disc, its box around it: the mask is the disc, also beside padding."""
    _, placed = letterbox(np.zeros((120, 160, 3), np.uint8), 320)
    y, x = np.mgrid[:80, :80] * 4 + 2.0
    disc = (40.0 - np.hypot(x - 160, y - 160))[None].astype(np.float32)
    boxes = placed.to_image(np.array([[115, 115, 205, 205]], np.float32))
    mask = mask_stack(disc, np.ones((1, 1), np.float32), boxes, placed)[0]
    rows, columns = np.mgrid[:120, :160] + 0.5
    wanted = np.hypot(columns - 80, rows - 60) < 20
    assert mask_iou(mask[None], wanted[None])[0, 0] > 0.98
    patch = next(mask_patches(disc, np.ones((1, 1), np.float32), boxes, placed))
    assert patch.pixels.sum() == mask.sum() and patch.pixels.shape < mask.shape


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 1.7])
def test_the_same_as_ultralytics_predict(trained, shapes, scale):
    import cv2

    student = load_student(trained[0].best)
    compared = 0
    for image_id in shapes[0].image_ids:
        image = cv2.resize(shapes[0].image(image_id), None, fx=scale, fy=scale)
        ours = student.predict(image, confidence=0.02, iou=0.7, max_detections=300)
        theirs = ultralytics_predict(student, image, 0.02)
        assert len(ours) == len(theirs.boxes)
        if not len(ours):
            continue
        np.testing.assert_allclose(ours.xyxy, theirs.boxes.xyxy.numpy(), atol=0.5)
        np.testing.assert_allclose(ours.confidence, theirs.boxes.conf.numpy(), atol=1e-3)
        np.testing.assert_array_equal(ours.class_id, theirs.boxes.cls.numpy().astype(int))
        assert np.diag(mask_iou(ours.mask, theirs.masks.data.numpy().astype(bool))).min() > 0.98
        compared += len(ours)
    assert compared >= 12


def ultralytics_predict(student, image, confidence):
    """Ultralytics' own predictor around a copy of the same weights."""
    from copy import deepcopy

    from ultralytics.models.yolo.detect import DetectionPredictor
    from ultralytics.models.yolo.segment import SegmentationPredictor

    network = deepcopy(student.network)
    network.model[-1].export = False
    network.names = dict(enumerate(student.class_names))
    kind = SegmentationPredictor if student.task == "segment" else DetectionPredictor
    options = {
        "imgsz": student.image_size,
        "conf": confidence,
        "iou": 0.7,
        "rect": False,
        "retina_masks": True,
    }
    predictor = kind(
        overrides={
            **options,
            "retina_masks": True,
            "device": "cpu",
            "verbose": False,
            "save": False,
            "max_det": 300,
        }
    )
    predictor.setup_model(network, verbose=False)
    return predictor(np.ascontiguousarray(image[:, :, ::-1]))[0]
