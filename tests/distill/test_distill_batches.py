"""Batches: pure in the number; boxes, masks, weights and placements follow the pixels wherever they go."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from drawn_shapes import draw_set  # type: ignore[import-not-found]

from nbhelpers.data import load_coco
from nbhelpers.data.letterbox import GRAY, letterbox
from nbhelpers.distill.batches import plain_batch, student_batches
from nbhelpers.distill.batches.augmented import augmented
from nbhelpers.distill.batches.layout import Part, plain, varied
from nbhelpers.distill.batches.picture import move_boxes
from nbhelpers.distill.batches.render import draw
from nbhelpers.distill.batches.source import Pictures
from nbhelpers.errors import BadInput

SIZE = 96


def tensors(batch):
    targets = batch.targets
    return [batch.pixels, targets.boxes, targets.classes, targets.real, targets.weights, targets.masks]


def batches(coco, batch=4, epochs=10, seed=0, **options):
    return student_batches(coco, SIZE, batch, seed, epochs, masks=True, **options)


@pytest.fixture(scope="module")
def train(shapes):
    return shapes[0]


@pytest.fixture
def odd(tmp_path):
    """A set of pictures of odd size whose document may be changed."""
    path = draw_set(tmp_path / "odd", 3, seed=5, size=(97, 61))

    def changed(change):
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))
        return load_coco(path)

    return changed


def test_shapes_dtypes_and_ranges(train):
    batch = batches(train)(0)
    targets = batch.targets
    count = targets.real.shape[1]
    assert batch.pixels.shape == (4, 3, SIZE, SIZE) and batch.pixels.dtype == torch.float32
    assert batch.pixels.min() >= 0 and batch.pixels.max() <= 1
    assert targets.boxes.shape == (4, count, 4) and targets.masks.shape == (4, count, SIZE // 4, SIZE // 4)
    assert targets.classes.dtype == torch.int64 and targets.real.dtype == torch.bool
    boxes = targets.boxes[targets.real]
    assert (boxes >= 0).all() and (boxes <= SIZE).all() and (boxes[:, 2:] > boxes[:, :2]).all()
    assert not targets.boxes[~targets.real].any() and not targets.weights[~targets.real].any()
    assert targets.class_scores is None and len(batch.placements) == 4


def test_a_batch_is_the_same_whenever_it_is_asked_for(train):
    first, again = batches(train), batches(train, workers=3)
    other = batches(train, seed=1)
    wanted = [tensors(first(number)) for number in (0, 3, 19)]
    for number, one in zip((19, 0, 3), (wanted[2], wanted[0], wanted[1]), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, tensors(again(number)), strict=True))
    assert not torch.equal(other(0).pixels, wanted[0][0])
    assert not torch.equal(wanted[0][0], wanted[1][0])


def test_each_epoch_shows_each_image_once(train):
    made = batches(train, batch=3, epochs=6)
    made._mosaic_epochs = 0  # one picture per input
    ids = [p.image_id for number in range(8) for row in made(number).placements for p in row]
    assert len(ids) == 24
    for epoch in range(3):
        assert sorted(ids[8 * epoch : 8 * epoch + 8]) == sorted(train.image_ids)
    assert ids[:8] != ids[8:16]


def test_mosaics_end_with_the_last_share_of_epochs(train):
    made = batches(train, batch=8, epochs=10, close_mosaic=0.2)
    assert max(len(row) for row in made(7).placements) > 1
    assert all(len(row) == 1 for number in (8, 9) for row in made(number).placements)


def test_pixels_are_where_the_placement_says(train):
    """Every pixel well inside a part equals the image's pixel that the matrix leads to."""
    pictures = Pictures(train, SIZE, masks=True, class_agnostic=False)
    rng = np.random.default_rng(3)
    some = [pictures[i] for i in range(4)]
    drawn = draw(some, varied([p.pixels.shape[:2] for p in some], SIZE, rng), SIZE)
    assert len(drawn.placements) >= 2
    for placement in drawn.placements:
        x1, y1, x2, y2 = placement.region
        if x2 - x1 < 12 or y2 - y1 < 12:
            continue
        x, y = np.meshgrid(np.arange(x1 + 3, x2 - 3).astype(int), np.arange(y1 + 3, y2 - 3).astype(int))
        back = np.linalg.inv(np.vstack([placement.matrix, [0, 0, 1]]))
        at = np.stack([x + 0.5, y + 0.5, np.ones_like(x)], -1) @ back.T - 0.5
        image = train.image(placement.image_id)
        wanted = cv2.remap(
            image, at[..., 0].astype(np.float32), at[..., 1].astype(np.float32), cv2.INTER_LINEAR
        )
        difference = np.abs(wanted.astype(int) - drawn.pixels[y, x].astype(int))
        assert np.quantile(difference, 0.95) <= 3, placement


def test_neighbours_in_a_mosaic_leave_no_gap(train):
    """White pictures in a mosaic: inside the regions all is white, outside all is gray."""
    pictures = Pictures(train, SIZE, masks=True, class_agnostic=False)
    whites = [replace(pictures[i], pixels=np.full((SIZE, SIZE, 3), 255, np.uint8)) for i in range(4)]
    for seed in range(20):
        parts = varied([(SIZE, SIZE)] * 4, SIZE, np.random.default_rng(seed))
        pixels = draw(whites, parts, SIZE).pixels[..., 0]
        assert set(np.unique(pixels)) <= {GRAY, 255}
        seen = np.zeros((SIZE, SIZE), int)
        for x1, y1, x2, y2 in ([int(np.ceil(v - 0.5)) for v in part.region] for part in parts):
            seen[y1:y2, x1:x2] += 1
        assert seen.max() == 1 and np.array_equal(seen == 1, pixels == 255)


def test_boxes_are_tight_round_the_masks_wherever_they_go(train):
    made = batches(train, batch=8)
    checked = 0
    for number in range(6):
        targets = made(number).targets
        for image, row in torch.nonzero(targets.real).tolist():
            mask = targets.masks[image, row].numpy() >= 0.5
            box = targets.boxes[image, row].numpy() / 4
            if mask.sum() < 9:
                continue
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
            assert np.abs(found - box).max() <= 1.01
            checked += 1
    assert checked > 60


def test_masks_have_the_area_of_their_objects(train):
    """Letterboxed alone, without any change of size, the shares add up to the pixels of the mask."""
    pictures = Pictures(train, SIZE, masks=True, class_agnostic=False)
    targets = plain_batch(pictures, [0]).targets
    truth = train.detections(train.image_ids[0]).mask
    areas = targets.masks[0].sum((1, 2)).numpy() * 16
    assert np.allclose(areas, truth.sum((1, 2)), rtol=0.02)


@pytest.mark.parametrize("shape", [(61, 97), (97, 61), (64, 64), (7, 300)])
def test_plain_inputs_are_those_of_inference(shape):
    height, width = shape
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    part = plain(shape, SIZE)
    _, placed = letterbox(image, SIZE)
    boxes = np.array([[0.0, 0, width, height], [1, 2, width / 2, height / 2]])
    assert np.abs(move_boxes(part.matrix, boxes) - placed.to_input(boxes)).max() <= 0.51


def test_crowds_are_left_out_and_objects_without_masks_have_their_box(odd):
    def change(document):
        first, second, third, *_ = document["annotations"]
        first["iscrowd"] = 1
        second["segmentation"] = []
        third["segmentation"] = {"size": [61, 97], "counts": [61 * 97]}

    coco = odd(change)
    pictures = Pictures(coco, SIZE, masks=True, class_agnostic=False)
    objects = pictures[0].objects
    assert len(objects) == 1 and len(pictures[1].objects) == 1  # a crowd, and an empty mask, are gone
    patch = objects.masks[0].pixels
    assert (patch == 255).all() and patch.shape[0] > 10
    boxes_only = Pictures(coco, SIZE, masks=False, class_agnostic=False)
    assert len(boxes_only[1].objects) == 2 and boxes_only[1].objects.masks is None


def test_images_without_objects_give_batches_without(odd):
    coco = odd(lambda document: document.update(annotations=document["annotations"][:1]))
    batch = student_batches(coco.subset(coco.image_ids[1:]), SIZE, 2, 0, 5, masks=True)(0)
    assert batch.targets.real.shape == (2, 0) and batch.targets.masks.shape == (2, 0, 24, 24)


def test_weights_and_class_scores_go_along(odd):
    def change(document):
        for entry in document["annotations"]:
            entry["weight"] = 0.25 if entry["category_id"] == 3 else 1.0
        document["annotations"][0]["class_scores"] = [0.9, 0.2]

    coco = odd(change)
    pictures = Pictures(coco, SIZE, masks=True, class_agnostic=False)
    targets = plain_batch(pictures, [0, 1, 2]).targets
    wanted = torch.where(targets.classes == 0, 0.25, 1.0)
    assert torch.equal(targets.weights[targets.real], wanted[targets.real])
    scores = targets.class_scores
    assert torch.equal(scores[0, 0], torch.tensor([0.9, 0.2])) and scores[0, 1:].isnan().all()
    agnostic = plain_batch(Pictures(coco, SIZE, masks=True, class_agnostic=True), [0]).targets
    assert agnostic.class_scores[0, 0].tolist() == pytest.approx([0.9])
    assert not agnostic.classes.any()


def test_class_scores_of_another_number_of_classes_are_refused(odd):
    coco = odd(lambda document: document["annotations"][0].update(class_scores=[0.5]))
    with pytest.raises(BadInput, match="1 class_scores for 2 classes"):
        Pictures(coco, SIZE, masks=True, class_agnostic=False)[0]


def test_what_is_kept_stays_within_the_bound(train):
    pictures = Pictures(train, SIZE, masks=True, class_agnostic=False, cache_mib=0.07)
    for index in range(len(pictures)):
        pictures[index]
    assert 0 < pictures.kept.bytes <= 0.07 * 2**20 and len(pictures.kept) < len(pictures)
    assert pictures[0].pixels.shape == (80, 96, 3)


def moved(sample, matrix):
    """A sample warped by a matrix, as an augmenter would."""
    height, width = sample.image.shape[:2]
    points = sample.keypoints.copy()
    points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    warp = lambda a: cv2.warpAffine(a, matrix, (width, height))  # noqa: E731
    masks = np.stack([warp(mask.astype(np.uint8)) > 0 for mask in sample.masks])
    return replace(
        sample,
        image=warp(sample.image),
        boxes=move_boxes(matrix, sample.boxes).astype(np.float32),
        masks=masks,
        keypoints=points,
    )


def test_an_affine_augmenter_is_followed_by_the_placement(train):
    pictures = Pictures(train, SIZE, masks=True, class_agnostic=False)
    matrix = np.array([[0.9, 0.1, 4.0], [-0.1, 0.9, 6.0]])
    changed = augmented(pictures[0], lambda sample, seed: moved(sample, matrix), 1)
    assert np.allclose(changed.matrix, matrix, atol=1e-3)
    assert len(changed.objects) == len(pictures[0].objects) == len(changed.objects.masks)


def test_a_bent_picture_has_no_placement(train):
    def bend(sample, seed):
        points = sample.keypoints.copy()
        points[:, 0] += 5 * np.sin(points[:, 1] / 8)
        return replace(sample, keypoints=points)

    pictures = Pictures(train, SIZE, masks=True, class_agnostic=False)
    changed = augmented(pictures[0], bend, 1)
    assert changed.matrix is None
    drawn = draw([changed], [plain(changed.pixels.shape[:2], SIZE)], SIZE)
    assert drawn.placements == [] and len(drawn.objects) == 2


def test_objects_an_augmenter_drops_take_their_weights_with_them(odd):
    def change(document):
        for place, entry in enumerate(document["annotations"]):
            entry["weight"] = 0.1 * (place + 1)

    pictures = Pictures(odd(change), SIZE, masks=True, class_agnostic=False)

    def second_only(sample, seed):
        return replace(
            sample, boxes=sample.boxes[1:], classes=sample.classes[1:], masks=sample.masks[1:],
            index=sample.index[1:],
        )  # fmt: skip

    changed = augmented(pictures[0], second_only, 0)
    assert changed.objects.weights.tolist() == pytest.approx([0.2])


def test_a_real_augmenter_fits(train):
    from nbhelpers.data.augment import Conditions, build_augmenter

    augment = build_augmenter(
        Conditions(("changes_size",), lighting="poor", camera="shaky", intensity="high")
    )
    made = batches(train, augment=augment)
    first, again = made(1), batches(train, augment=augment)(1)
    assert all(torch.equal(a, b) for a, b in zip(tensors(first), tensors(again), strict=True))
    assert not torch.equal(first.pixels, batches(train)(1).pixels)


def test_each_picture_is_augmented_once_per_epoch(train):
    asked = []

    def noted(sample, seed):
        asked.append(seed)
        return sample

    made = batches(train, batch=8, augment=noted)
    first = made(0)
    count = len(asked)
    assert count <= 8 and len(set(asked)) == count
    assert all(torch.equal(a, b) for a, b in zip(tensors(first), tensors(made(0)), strict=True))
    assert len(asked) == count
    made(1)
    assert len(set(asked)) == len(asked) > count
    small = batches(train, batch=8, augment=noted, cache_mib=0.05)  # drawn again, and the same
    assert all(torch.equal(a, b) for a, b in zip(tensors(first), tensors(small(0)), strict=True))


def test_what_is_cut_away_is_not_in_the_box(train):
    """A part that shows the left half of a picture: boxes end where it ends, objects beyond it are gone."""
    pictures = Pictures(train, SIZE, masks=True, class_agnostic=False)
    picture = pictures[0]
    whole = plain(picture.pixels.shape[:2], SIZE)
    part = Part(whole.matrix, (0.0, whole.region[1], 26.0, whole.region[3]))
    drawn = draw([picture], [part], SIZE)
    assert len(drawn.objects) == 1 and drawn.objects.boxes[0, 2] == pytest.approx(26, abs=1)
    assert not drawn.masks[0, :, 7:].any() and drawn.masks[0, :, :6].any()


def test_a_batch_goes_to_another_device(train):
    batch = batches(train)(0)
    there = batch.to("meta")
    assert there.pixels.is_meta and there.targets.masks.is_meta and there.targets.class_scores is None
    assert there.placements is batch.placements
