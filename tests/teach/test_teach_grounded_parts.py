import numpy as np
import pytest

from nbhelpers.errors import BadInput
from nbhelpers.metrics.matches import Matches
from nbhelpers.teach.grounded_sam.boxes import Candidates, choose
from nbhelpers.teach.grounded_sam.features import (
    FeatureMap,
    captured,
    load_features,
    of_embedding,
    save_features,
    stacked,
)
from nbhelpers.teach.grounded_sam.thresholds import best_thresholds, thresholds_table


def candidates(rows):
    boxes, scores = zip(*rows, strict=True)
    return Candidates(np.array(boxes, np.float32), np.array(scores, np.float32))


def test_the_weaker_double_of_a_class_goes_and_other_classes_stay():
    found = candidates(
        [
            ([0, 0, 10, 10], [0.6, 0.1]),
            ([0, 0, 10, 9], [0.9, 0.1]),  # a double of the first, stronger
            ([0, 0, 10, 10], [0.1, 0.7]),  # the same place, another class
            ([50, 50, 60, 60], [0.5, 0.4]),
            ([70, 70, 70, 80], [0.9, 0.1]),  # without area
        ]
    )
    kept = choose(found, np.array([0.3, 0.3], np.float32), 0.5, 100)
    assert kept.row.tolist() == [1, 2, 3] and kept.class_id.tolist() == [0, 1, 0]
    assert choose(found, np.array([0.3, 0.3], np.float32), 0.5, 2).row.tolist() == [1, 2]
    both = choose(found, np.array([0.3, 0.3], np.float32), 0.5, 100, multi_label=True)
    assert sorted(zip(both.row.tolist(), both.class_id.tolist(), strict=True)) == [
        (1, 0), (2, 1), (3, 0), (3, 1)
    ]  # fmt: skip


def test_a_box_below_the_threshold_of_its_best_class_does_not_become_another_class():
    found = candidates([([0, 0, 10, 10], [0.5, 0.4])])
    assert len(choose(found, np.array([0.6, 0.3], np.float32), 0.5, 100).row) == 0


def test_no_candidates():
    empty = Candidates(np.zeros((0, 4), np.float32), np.zeros((0, 3), np.float32))
    for multi_label in (False, True):
        assert len(choose(empty, np.full(3, 0.1, np.float32), 0.5, 10, multi_label).row) == 0


def matches(scores, right, truths):
    count = len(scores)
    return Matches(
        np.array([1] * count, object),
        np.array([3] * count, object),
        np.arange(count),
        np.array(scores, float),
        np.array(right, float),
        {(1, 3): truths} if truths else {},
    )


def f1_at(scores, right, truths, least):
    passed = np.array(scores) >= least
    return 2 * (np.array(right, bool) & passed).sum() / (passed.sum() + truths)


def test_best_f1_is_the_best_of_all_thresholds():
    rng = np.random.default_rng(0)
    for _ in range(50):
        scores = rng.choice(np.linspace(0.05, 0.95, 12), 15)  # with ties
        right = rng.random(15) < scores
        truths = int(right.sum() + rng.integers(0, 4))
        if not right.any():
            continue
        chosen = best_thresholds(matches(scores, right, truths), {"box": 3}, 0.25)[0]
        best = max(f1_at(scores, right, truths, least) for least in scores)
        assert f1_at(scores, right, truths, chosen.threshold) == pytest.approx(best)
        assert chosen.f1 == pytest.approx(best)


def test_the_threshold_lies_midway():
    chosen = best_thresholds(matches([0.9, 0.8, 0.2], [1, 1, 0], 2), {"box": 3}, 0.25)[0]
    assert chosen.threshold == pytest.approx(0.5) and chosen.precision == chosen.recall == 1.0
    assert best_thresholds(matches([0.9], [1], 1), {"box": 3}, 0.25)[0].threshold == pytest.approx(0.9)


def test_thresholds_chosen_from_nothing():
    unseen = best_thresholds(matches([0.9], [0], 0), {"box": 3}, 0.25)[0]
    assert (unseen.threshold, unseen.f1, unseen.truths) == (0.25, None, 0)
    wrong = best_thresholds(matches([0.9, 0.8], [0, 0], 5), {"box": 3}, 0.25)[0]
    assert (wrong.threshold, wrong.recall) == (1.0, 0.0) and "silent" in wrong.why
    mute = best_thresholds(matches([], [], 5), {"box": 3}, 0.25)[0]
    assert mute.threshold == 1.0
    table = thresholds_table([unseen, wrong, mute])
    assert "no object on validation" in table and len(table.splitlines()) == 5


def test_features_survive_the_disk_in_half_precision(tmp_path):
    values = np.random.default_rng(0).normal(0, 50, (3, 4, 5)).astype(np.float32)
    values[0, 0, 0] = 1e6  # beyond float16: cut, not infinite
    path = save_features(tmp_path / "f" / "1.npz", {"sam": FeatureMap(values, (0.0, 0.0, 0.75, 1.0))})
    found = load_features(path)
    assert set(found) == {"sam"} and found["sam"].placed == (0.0, 0.0, 0.75, 1.0)
    assert found["sam"].map.dtype == np.float32 and found["sam"].map[0, 0, 0] == 65504
    assert np.allclose(found["sam"].map.ravel()[1:], values.ravel()[1:], rtol=1e-3, atol=1e-3)
    with np.load(path) as archive:
        assert archive["sam"].dtype == np.float16


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\x03\x04 cut"])
def test_damaged_features_are_named(tmp_path, content):
    (tmp_path / "1.npz").write_bytes(content)
    with pytest.raises(BadInput, match=r"1\.npz: is damaged"):
        load_features(tmp_path / "1.npz")
    with pytest.raises(BadInput, match="no such file"):
        load_features(tmp_path / "2.npz")


def test_stacked_maps_know_where_their_picture_lies():
    small = FeatureMap(np.ones((2, 3, 4), np.float32), (0.0, 0.0, 0.5, 1.0))
    large = FeatureMap(np.full((2, 6, 8), 2, np.float32), (0.0, 0.0, 1.0, 1.0))
    both = stacked([small, large])
    assert tuple(both.maps.shape) == (2, 2, 6, 8)
    assert both.placed.tolist() == [[0, 0, 0.25, 0.5], [0, 0, 1, 1]]
    assert both.maps[0].sum() == small.map.sum() and (both.maps[0, :, :3, :4] == 1).all()
    with pytest.raises(BadInput, match="no pictures"):
        stacked([])


def test_sams_map_says_which_part_is_padding():
    import torch

    one = of_embedding([torch.zeros(8, 32, 32), torch.ones(4, 16, 16)], (64, 128), 128)
    assert one.map.shape == (4, 16, 16) and one.placed == (0.0, 0.0, 1.0, 0.5)


@pytest.fixture(scope="module")
def detector():
    from nbhelpers.models import load

    return load("tiny/grounding-dino", device="cpu")


def inputs_for(detector, images):
    text = ["box. cone."] * len(images)
    return detector.processor(images=images, text=text, return_tensors="pt")


def test_the_captured_level_is_the_encoders_output(detector):
    import torch

    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (96, 96, 3), dtype=np.uint8) for _ in range(2)]
    inputs = inputs_for(detector, images)
    with torch.inference_mode(), captured(detector.model) as kept:
        output = detector.model(**inputs)
    flat = output.encoder_last_hidden_state_vision
    assert len(kept) == 2 and kept[0].map.shape == (64, 8, 8)  # 128 px at stride 16
    for own, one in zip(flat, kept, strict=True):
        expected = own[-64:].T.reshape(64, 8, 8).numpy()
        assert np.array_equal(one.map, expected) and one.placed == (0.0, 0.0, 1.0, 1.0)
    with torch.inference_mode(), captured(detector.model, stride_px=8) as finer:
        detector.model(**inputs)
    assert finer[0].map.shape == (64, 16, 16)
    with torch.inference_mode():
        detector.model(**inputs)
    assert len(kept) == 2, "outside the block nothing is noted"


def test_padding_within_a_batch_is_known(detector):
    import torch

    images = [np.zeros((128, 128, 3), np.uint8), np.zeros((128, 64, 3), np.uint8)]
    with torch.inference_mode(), captured(detector.model) as kept:
        detector.model(**inputs_for(detector, images))
    assert kept[0].placed == (0.0, 0.0, 1.0, 1.0) and kept[1].placed == (0.0, 0.0, 0.5, 1.0)


def test_a_cut_last_place_counts_as_padding(detector):
    import torch

    image = np.zeros((128, 88, 3), np.uint8)  # 88 px are 5.5 places at stride 16
    with torch.inference_mode(), captured(detector.model) as kept:
        detector.model(**inputs_for(detector, [image]))
    assert kept[0].map.shape == (64, 8, 6)
    assert kept[0].placed == pytest.approx((0.0, 0.0, 88 / 96, 1.0))


def sam2_teacher():
    from sam_sets import small_sam2

    from nbhelpers.teach.grounded_sam.loading import Teacher

    model, processor = small_sam2()
    return Teacher(model, processor, "small", "", None, "", False, "for this test")


def test_sam2_outlines_everything_and_gives_features(detector):
    from nbhelpers.teach.grounded_sam import Grid, GroundedSam
    from nbhelpers.teach.grounded_sam.loading import Teacher

    image = np.random.default_rng(0).integers(0, 255, (50, 90, 3), dtype=np.uint8)
    grid = Grid(points_per_side=3, predicted_iou=-10.0, stability=0.0)
    alone = GroundedSam("segmentation", ("object",), None, sam2_teacher(), grid=grid)
    found = alone.predict([image])[0]
    assert len(found) > 0 and found.mask.shape[1:] == (50, 90)
    # SAM 2 stretches pictures over its whole input: no padding.
    maps = alone.features([image])["sam"]
    assert tuple(maps.maps.shape) == (1, 32, 8, 8) and maps.placed.tolist() == [[0, 0, 1, 1]]
    dino = Teacher(detector.model, detector.processor, "twin", "", None, "", False, "for this test")
    both = GroundedSam("detection_and_segmentation", ("box", "cone"), dino, sam2_teacher())
    seen = both.predict([image], thresholds={"box": 0.01, "cone": 0.01})[0]
    assert seen.mask.shape == (len(seen), 50, 90) and seen.mask.any(axis=(1, 2)).all()


def test_many_classes_go_through_several_prompts(detector):
    from nbhelpers.metrics import box_iou
    from nbhelpers.teach.grounded_sam import GroundedSam
    from nbhelpers.teach.grounded_sam.loading import Teacher

    dino = Teacher(detector.model, detector.processor, "twin", "", None, "", False, "for this test")
    colours = ("red", "green", "blue", "white", "black", "small", "large", "old")
    names = tuple(f"{colour} {thing}" for thing in ("box", "barrel", "cone", "shelf") for colour in colours)
    made = GroundedSam("detection", names, dino, None, dict.fromkeys(names, 0.05), nms=0.4)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (128, 128, 3), dtype=np.uint8) for _ in range(2)]
    seen = made.look(images, features=True, limit=1000)
    assert len(seen) == 2 and all(set(one.features) == {"grounding_dino"} for one in seen)
    for image, (found, _) in zip(images, seen, strict=True):
        assert found.data["class_scores"].shape == (len(found), 32)
        for index in set(found.class_id.tolist()):
            boxes = found.xyxy[found.class_id == index]
            assert np.triu(box_iou(boxes, boxes), 1).max(initial=0) <= 0.4 + 1e-6
        alone = made.look([image], features=True)[0].features["grounding_dino"]
        assert alone.map.shape == (64, 8, 8)
    first, second = (one.features["grounding_dino"].map for one in seen)
    assert not np.allclose(first, second), "each picture has its own features, not another prompt's"
    assert sum(len(one.detections) for one in seen) > 0
