import numpy as np
import pytest
import supervision as sv
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nbhelpers.artifacts import write_json
from nbhelpers.data.preprocess import (
    Preprocessing,
    in_batches,
    input_picture,
    pixel_mask,
    preprocess,
    stock_processor,
)
from nbhelpers.data.preprocess.geometry import Geometry
from nbhelpers.errors import BadInput
from nbhelpers.models.places import twin_folder

BOTH = {"recommended_teachers": ["grounding_dino", "sam"], "recommended_student": "yolov8_seg"}
sides = st.integers(1, 700)
some = settings(max_examples=40, deadline=None)


@pytest.fixture(scope="module")
def twins():
    from transformers import AutoProcessor

    names = {"grounding_dino": "grounding-dino", "sam": "sam"}
    return {key: AutoProcessor.from_pretrained(twin_folder(name)) for key, name in names.items()}


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def geometries(height, width, plan):
    made = preprocess([noise(height, width)], None, plan)
    return {name: (pixels, placed[0]) for name, (pixels, placed) in made.items()}


def assert_round_trip(where, height, width):
    rng = np.random.default_rng(1)
    xs, ys = np.sort(rng.uniform(0, width, (20, 2))), np.sort(rng.uniform(0, height, (20, 2)))
    boxes = np.stack([xs[:, 0], ys[:, 0], xs[:, 1], ys[:, 1]], axis=1).astype(np.float32)
    placed = where.to_input(boxes)
    rows, columns = where.region
    low, high = (columns.start, rows.start), (columns.stop, rows.stop)
    assert (placed[:, :2] >= np.array(low) - 1e-3).all() and (placed[:, 2:] <= np.array(high) + 1e-3).all()
    assert np.abs(where.to_image(placed) - boxes).max() < 0.5
    assert np.abs(where.to_image(placed, clip=False) - boxes).max() < 0.01 * max(
        1, width / 1000, height / 1000
    )
    corners = where.to_input(np.array([[0, 0, width, height]], np.float32))[0]
    assert corners.tolist() == [*low, *high], "the picture's edges are the region's edges"
    point = np.array([[width, height, 1.0]]) @ where.matrix.T
    np.testing.assert_allclose(point[0], high, rtol=1e-9)


def assert_masks_round_trip(where, height, width):
    """Each edge of a mask comes back within half a pixel of the coarser of the two grids."""
    top, left = height // 3, width // 3
    bottom, right = max(top + 1, height - height // 5), max(left + 1, width - width // 5)
    mask = np.zeros((1, height, width), bool)
    mask[0, top:bottom, left:right] = True
    placed = where.masks_to_input(mask)
    assert placed.shape == (1, where.input_height, where.input_width)
    outside = placed.copy()
    outside[(slice(None), *where.region)] = False
    assert not outside.any(), "padding is background"
    back = where.masks_to_image(placed)
    assert back.shape == mask.shape
    for axis, factor in ((1, where.scale[1]), (2, where.scale[0])):
        other = 3 - axis
        before, after = (np.flatnonzero(m.any(axis=(0, other))) for m in (mask, back))
        if not placed.any():
            assert min(where.scale) < 1, "only where pixels were lost"
            continue
        allowed = 0.5 / min(1, factor) + 0.5  # half a pixel, then to the next whole one
        assert abs(before[0] - after[0]) <= allowed and abs(before[-1] - after[-1]) <= allowed
    if min(where.scale) >= 1:
        np.testing.assert_array_equal(back, mask)


@some
@given(sides, sides)
@example(1, 400)
@example(400, 1)
@example(1, 1)
@example(3, 700)
@example(4000, 3)
def test_the_round_trip_is_exact_to_half_a_pixel(twins, height, width):
    plan = Preprocessing.from_config(BOTH, twins, 96)
    for pixels, where in geometries(height, width, plan).values():
        assert tuple(pixels.shape[-2:]) == (where.input_height, where.input_width)
        assert (where.width, where.height) == (width, height)
        assert_round_trip(where, height, width)
        assert_masks_round_trip(where, height, width)


@pytest.mark.parametrize(
    "size",
    [(480, 640), (1, 900), (900, 1), (3, 500), (37, 641), (2600, 130), (1333, 800), (1, 6000), (9000, 2)],
)
def test_real_sizes(size):
    made = geometries(*size, Preprocessing.from_config(BOTH))
    pixels, where = made["grounding_dino"]
    assert where.inner_height <= 1333 and where.inner_width <= 1333
    short, long = min(where.inner_height, where.inner_width), max(where.inner_height, where.inner_width)
    # A side that would be less than a pixel is left to the processor: it keeps 1 x 900 as it is.
    assert short == 800 or abs(long - 1333) <= 1 or min(size) == 1
    pixels, where = made["sam"]
    assert tuple(pixels.shape) == (1, 3, 1024, 1024)
    assert max(where.inner_height, where.inner_width) == 1024
    pixels, where = made["yolo"]
    assert tuple(pixels.shape) == (1, 3, 640, 640) and max(where.inner_height, where.inner_width) == 640
    for _, where in made.values():
        assert_round_trip(where, *size)
        assert_masks_round_trip(where, *size)


def test_known_sizes_of_known_pictures():
    made = geometries(480, 640, Preprocessing.from_config(BOTH))
    assert [(m.inner_height, m.inner_width) for _, m in made.values()] == [
        (800, 1066),
        (768, 1024),
        (480, 640),
    ]
    assert (made["yolo"][1].top, made["yolo"][1].left) == (80, 0)
    wide = geometries(300, 1200, Preprocessing.from_config(BOTH))
    assert (wide["grounding_dino"][1].inner_height, wide["grounding_dino"][1].inner_width) == (333, 1333)


def test_a_painted_object_is_where_its_box_and_mask_say(twins):
    image = np.full((90, 150, 3), 60, np.uint8)
    image[30:60, 45:105] = (250, 240, 20)
    mask = np.zeros((1, 90, 150), bool)
    mask[0, 30:60, 45:105] = True
    target = sv.Detections(np.array([[45, 30, 105, 60]], np.float32), mask=mask, class_id=np.array([2]))
    plan = Preprocessing.from_config(BOTH, twins, 128)
    for name, (pixels, placed) in preprocess([image], [target], plan).items():
        seen = input_picture(pixels[0], plan.processors.get(name))
        found = placed[0].target
        left, top, right, bottom = found.xyxy[0].round().astype(int)
        assert found.class_id.tolist() == [2]
        bright = seen[..., 0] > 155
        np.testing.assert_allclose(
            [*np.flatnonzero(bright.any(axis=0))[[0, -1]], *np.flatnonzero(bright.any(axis=1))[[0, -1]]],
            [left, right - 1, top, bottom - 1],
            atol=1,
        )
        assert (bright != found.mask[0]).sum() < 0.05 * bright.sum()
    assert target.xyxy.tolist() == [[45, 30, 105, 60]], "the labels given are not changed"


def test_a_batch_of_sizes_is_padded_and_the_pixel_mask_says_where(twins):
    plan = Preprocessing.from_config(BOTH)
    images = [noise(60, 120), noise(120, 60, 1)]
    pixels, placed = preprocess(images, None, plan)["grounding_dino"]
    mask = pixel_mask(placed)
    stock = stock_processor("grounding_dino")(images=images, return_tensors="pt")
    assert (mask == stock["pixel_mask"]).all() and (pixels == stock["pixel_values"]).all()
    assert [where.input_width for where in placed] == [pixels.shape[-1]] * 2
    assert placed[0].target is None


def test_batches_give_the_same_as_one_by_one(twins):
    plan = Preprocessing.from_config(BOTH, twins, 64)
    images = [noise(50, 80, seed) for seed in range(5)]
    targets = [sv.Detections(np.array([[1, 2, 30 + n, 40]], np.float32)) for n in range(5)]
    parts = [*in_batches(images, targets, plan, 2)]
    assert [len(part["sam"][1]) for part in parts] == [2, 2, 1]
    for name in plan.models:
        alone = [
            preprocess([image], [target], plan)[name] for image, target in zip(images, targets, strict=True)
        ]
        together = [(p, w) for part in parts for p, w in zip(*part[name], strict=True)]
        for (one, where), (pixels, placed) in zip(alone, together, strict=True):
            assert (one[0] == pixels).all() and where[0] == placed
            np.testing.assert_array_equal(where[0].target.xyxy, placed.target.xyxy)


@pytest.mark.parametrize(
    ("teachers", "student", "models"),
    [
        (["grounding_dino"], "yolov8", ["grounding_dino", "yolo"]),
        (["sam"], "fastsam", ["sam", "yolo"]),
        (["grounding_dino", "sam"], "d_fine", ["grounding_dino", "sam", "d_fine"]),
        ([], None, []),
    ],
)
def test_the_mode_decides_which_models_are_active(tmp_path, teachers, student, models):
    config = {"recommended_teachers": teachers, "recommended_student": student}
    write_json(tmp_path / ".mode_config.json", config)
    for source in (config, tmp_path, tmp_path / ".mode_config.json"):
        plan = Preprocessing.from_config(source, student_size=64)
        assert plan.models == models
    assert [*preprocess([noise(20, 30)], None, plan)] == models


def test_sam_2_stretches_over_the_whole_square():
    from transformers import Sam2ImageProcessor

    plan = Preprocessing({"sam": Sam2ImageProcessor()}, None)
    pixels, (where,) = preprocess([noise(100, 300)], None, plan)["sam"]
    assert tuple(pixels.shape) == (1, 3, 1024, 1024)
    assert (where.inner_width, where.inner_height) == (1024, 1024)
    assert_round_trip(where, 100, 300)


def test_boxes_in_the_padding_are_clipped_to_the_picture():
    where = Geometry(100, 50, 64, 32, 0, 16, 64, 64)
    found = where.to_image(np.array([[-5, 0, 80, 64]], np.float32))
    assert found.tolist() == [[0, 0, 100, 50]]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda plan: preprocess([], None, plan), "no pictures"),
        (lambda plan: preprocess([np.zeros((4, 4), np.uint8)], None, plan), "picture 0 has shape"),
        (lambda plan: preprocess([np.zeros((4, 4, 3), np.float32)], None, plan), "uint8"),
        (lambda plan: preprocess([np.zeros((0, 4, 3), np.uint8)], None, plan), "picture 0"),
        (lambda plan: preprocess([noise(4, 4)], [None, None], plan), "2 targets for 1"),
        (lambda plan: [*in_batches([noise(4, 4)], None, plan, 0)], "batch 0"),
        (
            lambda plan: Preprocessing.from_config({"recommended_teachers": ["owl"]}),
            "'owl' is unknown",
        ),
        (lambda plan: Preprocessing.from_config(BOTH, {"sam": None}), "'grounding_dino' is active"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(BadInput, match=said):
        call(Preprocessing({}, "yolo", 32))


def test_a_folder_that_was_not_prepared_is_named(tmp_path):
    with pytest.raises(BadInput, match="prepare the set"):
        Preprocessing.from_config(tmp_path)
