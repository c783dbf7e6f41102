"""Training batches of SAM: a function of their number, prompts and targets in one frame."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sam_sets import drawn, small_sam2, twin

from nbhelpers.data import load_coco
from nbhelpers.errors import BadInput
from nbhelpers.teach.sam import placed
from nbhelpers.teach.sam.batches import PROMPTS, SamBatches
from nbhelpers.teach.sam.objects import pictures_of
from nbhelpers.teach.sam.outlines import full_size
from nbhelpers.teach.sam.prompts import jittered_boxes, points_inside
from nbhelpers.teach.sam.targets import coverage, inside

SIDE = 64


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("scenes"), 7)


def maps_of(image_id):
    return (torch.full((4, 2, 2), float(image_id)),)


def made(pictures, **changes):
    given = {"batch": 2, "box_jitter": 0.1, "seed": 5, **changes}
    return SamBatches(pictures, maps_of, twin()[1], SIDE, **given)


def same(a, b):
    pairs = zip((*a.levels, *a[1:]), (*b.levels, *b[1:]), strict=True)
    return all(x is y is None or torch.equal(x, y) for x, y in pairs)


def test_a_batch_depends_on_its_number_alone(scenes):
    make = made(pictures_of(scenes))
    first = [make(number) for number in range(6)]
    again = made(pictures_of(scenes))
    assert all(same(again(number), first[number]) for number in (5, 0, 3, 3))
    assert not same(first[0], made(pictures_of(scenes), seed=6)(0))
    assert not same(first[0], first[1])


def test_every_epoch_shows_every_picture_once_in_another_order(scenes):
    pictures = pictures_of(scenes)
    make = made(pictures, batch=3)
    seen = [row for number in range(len(pictures)) for row in make.rows(number)]
    epochs = [seen[start : start + len(pictures)] for start in range(0, len(seen), len(pictures))]
    assert all(sorted(epoch) == list(range(len(pictures))) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_shapes_and_which_object_is_of_which_picture(scenes):
    pictures = pictures_of(scenes)
    make = made(pictures, points=3)
    for number in range(4):
        batch, rows = make(number), make.rows(number)
        counts = [min(len(pictures[row].boxes), PROMPTS) for row in rows]
        total = sum(counts)
        assert batch.picture.tolist() == np.repeat([0, 1], counts).tolist()
        assert batch.levels[0].shape == (2, 4, 2, 2)
        assert batch.levels[0][:, 0, 0, 0].tolist() == [pictures[row].image_id for row in rows]
        assert batch.boxes.shape == (total, 4) and batch.points.shape == (total, 3, 2)
        assert batch.target.shape == batch.valid.shape == (total, SIDE, SIDE)
    assert made(pictures)(0).points is None
    few = made(pictures, prompts=2)(0)
    assert len(few.boxes) == 4


@pytest.mark.parametrize("get", [twin, small_sam2])
def test_boxes_points_and_targets_lie_in_one_frame(get, tmp_path):
    """Unmoved, a box is tight round what its target covers, and points lie in it."""
    from nbhelpers.data import draw_scenes

    processor = get()[1]
    coco = draw_scenes(tmp_path, 3, (150, 90), 4)
    batch = SamBatches(pictures_of(coco), maps_of, processor, SIDE, batch=3, box_jitter=0, points=2)(0)
    factor = 128 / SIDE
    for box, points, target in zip(batch.boxes, batch.points, batch.target, strict=True):
        rows, columns = torch.nonzero(target.any(1))[:, 0], torch.nonzero(target.any(0))[:, 0]
        around = torch.stack([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) * factor
        assert (around - box).abs().max() <= factor + 1
        for x, y in points:  # the corner of the pixel; its middle lies half a pixel further on
            assert target[int((y + 0.5) / factor), int((x + 0.5) / factor)] > 0
        assert target.max() > 0.4


@pytest.mark.parametrize("size", [(96, 96), (300, 200), (70, 256), (64, 64)], ids=str)
@pytest.mark.parametrize("get", [twin, small_sam2])
def test_target_given_back_as_answer_is_the_mask(get, size):
    """The decoder's frame and the way back agree: a sound answer keeps the mask but for its rim."""
    processor = get()[1]
    place = placed(processor, size)
    y, x = np.mgrid[: size[0], : size[1]]
    mask = np.hypot((y - 0.45 * size[0]) / size[0], (x - 0.55 * size[1]) / size[1]) < 0.3
    answer = torch.from_numpy(coverage(mask, place, SIDE)) - 0.5
    (back,) = full_size(processor, [answer], place)
    assert (back & mask).sum() / (back | mask).sum() > 0.95


def test_covered_area_and_the_padding():
    place = placed(twin()[1], (64, 128))  # the lower half of the input is padding
    mask = np.zeros((64, 128), bool)
    mask[10:30, 40:90] = True
    target, valid = coverage(mask, place, SIDE), inside(place, SIDE)
    assert target.sum() * 4 == pytest.approx(mask.sum())
    assert valid[:32].all() and not valid[32:].any() and not target[32:].any()
    odd = inside(placed(twin()[1], (50, 127)), SIDE)
    assert odd.sum() * 4 == pytest.approx(128 * 50)


def test_jitter_stays_within_the_picture_and_the_share():
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 60, (4000, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(2, 40, (4000, 2))], axis=1).astype(np.float32)
    boxes = np.clip(boxes, 0, [80, 70, 80, 70]).astype(np.float32)
    moved = jittered_boxes(np.random.default_rng(1), boxes, (70, 80), 0.2)
    assert moved.min() >= 0 and moved[:, [0, 2]].max() <= 80 and moved[:, [1, 3]].max() <= 70
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    assert (np.abs(moved - boxes) <= 0.2 * sides + 1.0001).all()
    assert np.abs(moved - boxes).mean() > 0.02 * sides.mean()


def test_batches_never_hold_a_box_without_area(scenes):
    pictures = pictures_of(scenes)
    for picture in pictures:  # thin ones, which jitter of a pixel could fold
        picture.boxes[:, 2] = np.minimum(picture.boxes[:, 0] + 1.5, picture.size[1])
        picture.boxes[:, 0] = picture.boxes[:, 2] - 1.5
    make = made(pictures, box_jitter=0.4)
    for number in range(30):
        boxes = make(number).boxes
        assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_points_are_pixels_of_the_mask_also_of_a_small_one():
    mask = np.zeros((9, 7), bool)
    mask[3:5, 2] = True
    found = points_inside(np.random.default_rng(0), mask, 5)
    assert found.shape == (5, 2) and {tuple(p) for p in found} <= {(2, 3), (2, 4)}
    assert points_inside(np.random.default_rng(0), mask, 0).shape == (0, 2)


def changed(scenes, tmp_path, change):
    """The set with a change made to its document."""
    document = json.loads(json.dumps(scenes.to_dict()))
    change(document)
    path = tmp_path / "train.json"
    path.write_text(json.dumps(document))
    return load_coco(path, scenes.path.parent / "images")


def without_masks(document):
    for annotation in document["annotations"]:
        del annotation["segmentation"]


def test_a_detection_set_is_refused(scenes, tmp_path):
    first = scenes.annotations[0]["id"]
    with pytest.raises(BadInput, match=rf"train.json: annotation {first} has a box and no segmentation; SAM"):
        pictures_of(changed(scenes, tmp_path, without_masks))


def test_an_empty_set_is_refused(scenes, tmp_path):
    with pytest.raises(BadInput, match="has no annotations"):
        pictures_of(changed(scenes, tmp_path, lambda document: document.update(annotations=[])))


def test_objects_without_a_mask_among_others_are_left_out_and_said(scenes, tmp_path):
    def change(document):
        del document["annotations"][0]["segmentation"]
        document["annotations"][1]["iscrowd"] = 1

    said = []
    pictures = pictures_of(changed(scenes, tmp_path, change), said.append)
    assert sum(len(p.boxes) for p in pictures) == len(scenes.annotations) - 2
    assert said == ["train.json: 1 objects have no mask and are left out"]


def test_a_box_outside_its_image_names_the_annotation(scenes, tmp_path):
    def change(document):
        document["annotations"][2]["bbox"] = [200, 10, 30, 30]

    wanted = scenes.annotations[2]["id"]
    with pytest.raises(BadInput, match=rf"annotation {wanted}: box 0 .* inside the picture of 96 x 96"):
        pictures_of(changed(scenes, tmp_path, change))


def test_an_empty_mask_names_the_annotation(scenes, tmp_path):
    def change(document):
        document["annotations"][1]["segmentation"] = {"size": [96, 96], "counts": [96 * 96]}

    wanted = scenes.annotations[1]["id"]
    with pytest.raises(BadInput, match=rf"annotation {wanted}: its mask is empty"):
        pictures_of(changed(scenes, tmp_path, change))


def test_an_annotation_without_a_box_gets_the_tight_one(scenes, tmp_path):
    def change(document):
        del document["annotations"][0]["bbox"]

    before, after = pictures_of(scenes)[0], pictures_of(changed(scenes, tmp_path, change))[0]
    np.testing.assert_allclose(after.boxes[0], before.boxes[0], atol=1)


def test_the_loss_sees_an_answer_as_the_processor_enlarges_it():
    """A random answer overlaps wholly with its own mask, made by the stock processor at twice its side."""
    from nbhelpers.teach.sam.decoder import DecoderLoss, side_of, target_side

    model, processor = twin()
    side, large = side_of(model.config), target_side(model.config)
    assert (side, large) == (64, 128)
    answer = torch.randn(1, side, side, generator=torch.Generator().manual_seed(0))
    sizes = torch.tensor([[large, large]])
    masks = processor.image_processor.post_process_masks([answer[:, None]], sizes, sizes)[0][:, 0]
    batch = SimpleNamespace(target=masks.float(), valid=torch.ones_like(masks, dtype=torch.float32))
    found = DecoderLoss()(lambda _: (answer, torch.ones(1)), batch)
    assert found["iou"] == 0, "overlap 1 was foretold, and it is 1"
    assert 0 < found["dice"] < 1
