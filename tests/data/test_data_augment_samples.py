import pickle
import threading

import numpy as np
import pytest

from nbhelpers.data import draw_scenes
from nbhelpers.data.augment import (
    CHARACTERISTICS,
    ENVIRONMENT,
    INTENSITIES,
    Conditions,
    Rules,
    Sample,
    build_augmenter,
    rules_for,
    sample_of,
)
from nbhelpers.data.augment.augmenter import Augmenter, tight_boxes
from nbhelpers.errors import BadInput

WORDS = [
    *CHARACTERISTICS,
    *(f"{key}: {value}" for key, values in ENVIRONMENT.items() for value in values[1:]),
]
COLOURS = np.array([[250, 10, 10], [10, 250, 10], [10, 10, 250], [250, 250, 10]], np.uint8)
GEOMETRY_AND_COVERS = (
    *("changes_shape", "changes_size", "multiple_objects", "partially_hidden"),
    *("camera: moving", "camera: shaky", "distance: variable", "distance: close"),
)


def conditions(word, intensity="high"):
    key, _, value = word.partition(": ")
    chosen = {key: value} if value else {"characteristics": (word,)}
    return Conditions(**chosen, intensity=intensity)


def painted(height=150, width=200):
    """Four objects, each of one flat colour, on a gray gradient; a ring, a triangle, a bar and a box."""
    rows, columns = np.mgrid[:height, :width]
    image = np.repeat((100 + columns * 40 / width)[..., None], 3, axis=2).astype(np.uint8)
    radius = np.hypot(rows - 0.3 * height, columns - 0.22 * width) / height
    masks = np.stack(
        [
            (radius > 0.08) & (radius < 0.2),
            (rows > 0.5 * height) & (columns > 0.55 * width) & (rows - columns > -0.25 * width),
            (abs(rows - 0.2 * height) < 0.06 * height) & (abs(columns - 0.7 * width) < 0.22 * width),
            (abs(rows - 0.75 * height) < 0.15 * height) & (abs(columns - 0.2 * width) < 0.1 * width),
        ]
    )
    for mask, colour in zip(masks, COLOURS, strict=True):
        image[mask] = colour
    return Sample(image, tight_boxes(masks), [3, 1, 2, 0], masks)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    coco = draw_scenes(tmp_path_factory.mktemp("scenes"), count=4, size=(160, 160), seed=5)
    return sample_of(coco, coco.image_ids[2])


def assert_sound(result, original):
    """Every part belongs together and lies in the picture."""
    height, width = original.image.shape[:2]
    assert result.image.shape == original.image.shape and result.image.dtype == np.uint8
    assert result.boxes.dtype == np.float32 and result.classes.dtype == np.int64
    assert len(result.boxes) == len(result.classes) == len(result.objects)
    assert (result.classes == original.classes[result.objects]).all()
    assert (result.boxes[:, :2] >= 0).all() and (result.boxes[:, 2:] <= (width, height)).all()
    assert (result.boxes[:, 2:] > result.boxes[:, :2]).all()
    if original.masks is not None:
        assert result.masks.shape == (len(result), height, width) and result.masks.dtype == bool
        assert result.masks.any(axis=(1, 2)).all()
        np.testing.assert_array_equal(result.boxes, tight_boxes(result.masks))


@pytest.mark.parametrize("word", WORDS)
def test_labels_stay_sound_at_every_intensity(word, scene):
    for intensity in INTENSITIES:
        augmenter = build_augmenter(conditions(word, intensity), always=True)
        for seed in range(3):
            assert_sound(augmenter(scene, seed), scene)


@pytest.mark.parametrize("word", WORDS)
def test_at_high_and_always_the_picture_really_changes(word, scene):
    augmenter = build_augmenter(conditions(word), always=True)
    changed = [np.abs(augmenter(scene, seed).image.astype(int) - scene.image).mean() for seed in range(5)]
    assert min(changed) > 0.05 and np.median(changed) > 0.3, changed


@pytest.mark.parametrize("word", WORDS)
def test_a_stronger_intensity_changes_more_on_average(word, scene):
    def mean_change(intensity):
        augmenter = build_augmenter(conditions(word, intensity), always=True)
        draws = [augmenter(scene, seed).image.astype(int) for seed in range(24)]
        return np.mean([np.abs(draw - scene.image).mean() for draw in draws])

    low, medium, high = (mean_change(intensity) for intensity in INTENSITIES)
    assert low < medium < high


@pytest.mark.parametrize("word", GEOMETRY_AND_COVERS)
def test_a_mask_still_covers_the_colour_of_its_object(word):
    original = painted()
    rules = tuple(
        rule for rule in rules_for(conditions(word)) if rule.transform not in ("defocus", "motion_blur")
    )
    augmenter = Augmenter(Rules(rules, ()))
    seen = 0
    for seed in range(12):
        result = augmenter(original, seed)
        assert_sound(result, original)
        distance = np.abs(result.image[:, :, None].astype(int) - COLOURS).sum(axis=3)  # (H, W, 4)
        for mask, number in zip(result.masks, result.objects, strict=True):
            own = distance[..., number] < 60
            others = np.delete(distance, number, axis=2).min(axis=2) < 60
            core = mask & (distance.min(axis=2) < 60)  # edges are mixed colours
            assert core.sum() > 0.5 * mask.sum() or mask.sum() < 60
            assert (own & mask).sum() > 0.95 * core.sum() and (others & mask).sum() <= 0.05 * mask.sum() + 3
            seen += 1
        if word in ("multiple_objects", "partially_hidden"):
            continue  # copies of lost objects and surfaces in the picture's colours are rightly unlabelled
        missed = (distance.min(axis=2) < 20) & ~result.masks.any(axis=0)
        for number in result.objects:  # nothing of an object in its flat colour is left out but edge pixels
            assert (missed & (distance.argmin(axis=2) == number)).sum() <= 12
    assert seen > 24


@pytest.mark.parametrize("word", ["changes_size", "camera: shaky", "partially_hidden", "multiple_objects"])
def test_the_same_seed_gives_the_same_bytes_whatever_was_drawn_before(word, scene):
    augmenter = build_augmenter(conditions(word))
    first = [augmenter(scene, seed) for seed in range(6)]
    np.random.default_rng(0).random(10)
    for seed in (5, 0, 3):
        for other in (augmenter, build_augmenter(conditions(word)), pickle.loads(pickle.dumps(augmenter))):
            again = other(scene, seed)
            assert again.image.tobytes() == first[seed].image.tobytes()
            assert again.boxes.tobytes() == first[seed].boxes.tobytes()
            assert again.masks.tobytes() == first[seed].masks.tobytes()
    assert len({sample.image.tobytes() for sample in first}) > 2
    other_seed = build_augmenter(Conditions(**{**vars(conditions(word)), "seed": 1}), always=True)
    assert (
        other_seed(scene, 0).image.tobytes()
        != build_augmenter(conditions(word), always=True)(scene, 0).image.tobytes()
    )


def test_threads_take_turns(scene):
    augmenter = build_augmenter(Conditions(CHARACTERISTICS, "poor", "shaky", "busy", "variable"))
    alone = [augmenter(scene, seed).image.tobytes() for seed in range(8)]
    found = {}
    workers = [
        threading.Thread(target=lambda s=seed: found.update({s: augmenter(scene, s).image.tobytes()}))
        for seed in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [found[seed] for seed in range(8)] == alone


def test_transforms_are_applied_independently_of_each_other(scene):
    """One shared seed in each transform would fire all of them together or none."""
    probability = 0.5
    rules = tuple(
        type(rule)(rule.transform, 1.0, probability, "", "")
        for rule in rules_for(Conditions(("partially_hidden",), camera="moving", lighting="poor"))
    )
    augmenter = Augmenter(Rules(rules, ()), image_size=160)
    fired = []
    for seed in range(60):
        augmenter(scene, seed)
        fired.append([bool(step.params) for step in augmenter._pipeline(160).transforms[1:]])
    shares = np.mean(fired, axis=0)
    assert (np.abs(shares - probability) < 0.3).all()
    assert len({tuple(row) for row in fired}) > 10


def test_probability_is_kept(scene):
    augmenter = build_augmenter(Conditions(("moves_or_vibrates",), intensity="high"))
    changed = np.mean([not np.array_equal(augmenter(scene, seed).image, scene.image) for seed in range(80)])
    assert 0.3 < changed < 0.7  # 0.5 by its table


def test_without_rules_the_sample_comes_back_itself(scene):
    assert build_augmenter(Conditions())(scene, 3) is scene


def test_without_geometry_no_pixel_moves(scene):
    everything = Conditions((), "poor", "shaky", "changing", "variable", "high")
    augmenter = build_augmenter(everything, always=True, geometry=False)
    result = augmenter(scene, 1)
    np.testing.assert_array_equal(result.masks, scene.masks)
    np.testing.assert_array_equal(result.objects, np.arange(len(scene)))


def test_boxes_without_masks_follow_too():
    original = painted()
    boxed = Sample(original.image, original.boxes, original.classes)
    for word in WORDS:
        for seed in range(3):
            result = build_augmenter(conditions(word), always=True)(boxed, seed)
            assert result.masks is None
            assert_sound(result, boxed)
    moved = build_augmenter(conditions("camera: moving"), always=True)
    with_masks, without = moved(original, 4), moved(boxed, 4)
    np.testing.assert_array_equal(with_masks.image, without.image)
    assert (without.boxes[:, :2] <= with_masks.boxes[:, :2] + 1.5).all()
    assert (without.boxes[:, 2:] >= with_masks.boxes[:, 2:] - 1.5).all()


def test_an_object_without_a_mask_among_others_keeps_its_box():
    original = painted()
    masks = original.masks.copy()
    masks[3] = False
    result = build_augmenter(conditions("camera: moving"), always=True)(
        Sample(original.image, original.boxes, original.classes, masks), 4
    )
    place = result.objects.tolist().index(3)
    assert not result.masks[place].any()
    assert (result.boxes[place, 2:] - result.boxes[place, :2] > 20).all()


def test_objects_that_leave_the_picture_go_with_class_and_mask():
    original = painted()
    augmenter = build_augmenter(conditions("distance: close"), always=True)
    results = [augmenter(original, seed) for seed in range(40)]
    assert min(map(len, results)) < 4
    for result in results:
        assert_sound(result, original)


def test_objects_covered_beyond_the_limit_go_and_the_limit_is_kept():
    original = painted()
    hidden = conditions("partially_hidden")
    strict = build_augmenter(hidden, always=True, min_visibility=0.7)
    mild = build_augmenter(hidden, always=True, min_visibility=0.1)
    areas = original.masks.sum(axis=(1, 2))
    kept_strict = kept_mild = 0
    for seed in range(20):
        for augmenter, limit in ((strict, 0.7), (mild, 0.1)):
            result = augmenter(original, seed)
            left = result.masks.sum(axis=(1, 2)) / areas[result.objects]
            assert (left >= limit).all() and (left <= 1).all()
        kept_strict += len(strict(original, seed))
        kept_mild += len(mild(original, seed))
    assert kept_strict < kept_mild


def test_pasted_copies_carry_the_class_of_their_original():
    original = painted()
    augmenter = build_augmenter(conditions("multiple_objects"), always=True)
    copies = 0
    for seed in range(20):
        result = augmenter(original, seed)
        copies += len(result) - len(set(result.objects.tolist()))
        assert (result.masks.sum(axis=0) <= 1).all(), "what is in front is no part of what is behind"
    assert copies > 10


def test_key_points_of_objects_move_hide_and_leave():
    original = painted()
    rows = [np.argwhere(mask) for mask in original.masks]
    points = np.array(
        [[[*r[len(r) // 2][::-1] + 0.5, 2], [*r[0][::-1] + 0.5, 2], [0, 0, 0]] for r in rows], np.float32
    )
    sample = Sample(original.image, original.boxes, original.classes, original.masks, points)
    moved = build_augmenter(conditions("camera: moving"), always=True)
    for seed in range(10):
        result = moved(sample, seed)
        assert result.keypoints.shape == (len(result), 3, 3)
        assert (result.keypoints[:, 2] == 0).all(), "what nobody labelled stays unlabelled"
        for row, mask in zip(
            result.keypoints[:, :2].reshape(-1, 3), np.repeat(result.masks, 2, axis=0), strict=True
        ):
            if row[2]:
                x, y = row[:2].astype(int)
                assert mask[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].any(), "still on its object"
    hide = build_augmenter(conditions("partially_hidden"), always=True)
    seen = np.concatenate([hide(sample, seed).keypoints[:, :2, 2].ravel() for seed in range(10)])
    assert {1.0, 2.0} == set(seen.tolist())
    copies = build_augmenter(conditions("multiple_objects"), always=True)
    result = copies(sample, 0)
    doubled = len(result) - 4
    assert doubled > 0 and (result.keypoints[-doubled:] == 0).all()
    free = Sample(original.image, original.boxes, original.classes, keypoints=points.reshape(-1, 3))
    assert moved(free, 0).keypoints.shape == (12, 3)


@pytest.mark.parametrize("size", [(160, 160), (1, 400), (400, 1), (16, 16), (37, 641)])
def test_any_size_and_no_objects_at_all(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    everything = Conditions(CHARACTERISTICS, "poor", "shaky", "changing", "variable", "high")
    augmenter = build_augmenter(everything, always=True)
    for sample in (
        Sample(image, [], []),
        Sample(image, [], [], np.zeros((0, *size), bool)),
        Sample(image, [[0, 0, size[1], size[0]]], [2], np.ones((1, *size), bool)),
    ):
        assert_sound(augmenter(sample, 0), sample)


def test_many_objects_keep_their_masks():
    """OpenCV warps a few channels at a time; hundreds of masks must not be mixed up."""
    rows, columns = np.divmod(np.arange(600), 30)
    masks = np.zeros((600, 160, 240), bool)
    image = np.full((160, 240, 3), 128, np.uint8)
    for number in range(600):
        window = np.s_[rows[number] * 8 : rows[number] * 8 + 6, columns[number] * 8 : columns[number] * 8 + 6]
        masks[(number, *window)] = True
        image[window] = (number % 250, number // 250 * 100, 255)
    original = Sample(image, tight_boxes(masks), np.arange(600), masks)
    result = build_augmenter(Conditions(camera="moving", intensity="low"), always=True, geometry=True)(
        original, 2
    )
    assert_sound(result, original)
    assert 300 < len(result) <= 600 and len(set(result.objects.tolist())) == len(result)


@pytest.mark.slow
@pytest.mark.parametrize("word", WORDS)
def test_strength_means_the_same_at_4000_px(word, scene):
    """The change of a picture seen scaled down is about that of the small picture."""
    import cv2

    large = painted(1500, 2000)
    small = painted(150, 200)
    augmenter = build_augmenter(conditions(word), always=True)
    changes = []
    for sample in (large, small):
        draws = [augmenter(sample, seed).image for seed in range(6)]
        seen = [cv2.resize(draw, (100, 75), interpolation=cv2.INTER_AREA).astype(int) for draw in draws]
        before = cv2.resize(sample.image, (100, 75), interpolation=cv2.INTER_AREA).astype(int)
        changes.append(np.mean([np.abs(draw - before).mean() for draw in seen]))
    assert 0.5 < changes[0] / changes[1] < 2, changes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"image": np.zeros((4, 4), np.uint8)}, "height x width x 3"),
        ({"image": np.zeros((4, 4, 3), np.float32)}, "uint8"),
        ({"boxes": [[0, 0, 1, 1]]}, "1 boxes for 0 classes"),
        ({"masks": np.zeros((1, 4, 4), bool)}, "masks of shape"),
        ({"keypoints": np.zeros((1, 2, 3), np.float32)}, "key points of shape"),
    ],
)
def test_parts_that_do_not_fit_are_refused(arguments, said):
    sample = {"image": np.zeros((4, 4, 3), np.uint8), "boxes": [], "classes": []}
    with pytest.raises(BadInput, match=said):
        Sample(**{**sample, **arguments})
