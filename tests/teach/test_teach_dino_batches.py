"""Batches for the detector: pure, one prompt, labels that are places in it, odd images and sets."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from nbhelpers.artifacts import write_json
from nbhelpers.data.coco import load_coco
from nbhelpers.errors import BadInput
from nbhelpers.models.places import twin_folder
from nbhelpers.teach.grounding_dino.augmentation import augmenter
from nbhelpers.teach.grounding_dino.batches import DetectorBatches, boxes_of
from nbhelpers.teach.grounding_dino.prompt import phrase_tokens

NAMES = ["pallet", "pallet_jack", "jack", "drum"]  # names that share words; no drum is ever annotated
MODEL = SimpleNamespace(config=SimpleNamespace(max_text_len=64), dtype=torch.float32)


@pytest.fixture(scope="module")
def processor():
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(twin_folder("tiny/grounding-dino"), local_files_only=True)


@pytest.fixture
def coco(tmp_path):
    """Four pictures: one plain, one gray and tall, one to be turned by its EXIF, one without objects."""
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (60, 100, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "images/plain.png")
    Image.fromarray(pixels[:, :40, 0]).save(tmp_path / "images/gray.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "images/turned.jpg", exif=exif)
    Image.fromarray(pixels).save(tmp_path / "images/empty.png")
    sizes = {"plain.png": (100, 60), "gray.png": (40, 60), "turned.jpg": (60, 100), "empty.png": (100, 60)}
    images = [
        {"id": number, "file_name": name, "width": w, "height": h}
        for number, (name, (w, h)) in enumerate(sizes.items(), 1)
    ]
    found = [
        (1, 30, [10, 6, 20, 30], 0), (1, 10, [50, 0, 50, 60], 0), (1, 20, [0, 0, 100, 60], 1),
        (2, 20, [0, 30, 20, 30], 0), (3, 10, [30, 50, 30, 50], 0), (3, 20, [5, 5, 0, 10], 0),
    ]  # fmt: skip
    annotations = [
        {"id": n, "image_id": image, "category_id": category, "bbox": box, "iscrowd": crowd, "area": 1}
        for n, (image, category, box, crowd) in enumerate(found, 1)
    ]
    categories = [{"id": 10 * (index + 1), "name": name} for index, name in enumerate(NAMES)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    return load_coco(write_json(tmp_path / "set.json", document))


def make(coco, processor, size=4, seed=0, **options):
    return DetectorBatches(coco, MODEL, processor, size, seed, **options)


def asked(batch, processor):
    """Words of each phrase, by the places of its tokens."""
    ids = batch["inputs"]["input_ids"][0]
    rows = phrase_tokens(ids, 64)[:, : len(ids)].bool()
    return [processor.tokenizer.decode(ids[row]) for row in rows]


def test_labels_are_places_in_the_prompt_whatever_its_order(coco, processor):
    batches = make(coco, processor, augment=False)
    orders, width_of = set(), {"pallet": 0.5, "pallet jack": 0.5, "jack": 0.2}
    for number in range(24):
        batch = batches(number)
        phrases = asked(batch, processor)
        orders.add(tuple(phrases))
        for labels in batch["labels"]:
            for place, box in zip(labels["class_labels"].tolist(), labels["boxes"], strict=True):
                assert float(box[2]) == pytest.approx(width_of[phrases[place]], abs=1e-6)
    assert len(orders) == 6  # every order of three


def test_all_pictures_of_a_batch_have_one_prompt(coco, processor):
    for number in range(4):
        ids = make(coco, processor)(number)["inputs"]["input_ids"]
        assert bool((ids == ids[0]).all())


def test_a_batch_is_a_pure_function_of_its_number(coco, processor):
    first, second = make(coco, processor, seed=3), make(coco, processor, seed=3)
    second(7)
    one, other = first(2), second(2)
    assert one["inputs"].keys() == other["inputs"].keys()
    assert all(torch.equal(one["inputs"][key], other["inputs"][key]) for key in one["inputs"])
    assert all(
        torch.equal(a[key], b[key])
        for a, b in zip(one["labels"], other["labels"], strict=True)
        for key in ("boxes", "class_labels")
    )
    assert not torch.equal(
        make(coco, processor, seed=4)(2)["inputs"]["pixel_values"], one["inputs"]["pixel_values"]
    )


def test_an_epoch_sees_every_picture_once_in_batches_of_one_orientation(coco, processor):
    batches = make(coco, processor, size=2, augment=False)
    assert batches.per_epoch == 2
    for epoch in range(3):
        parts = [batches(2 * epoch + place) for place in range(2)]
        shapes = {part["inputs"]["pixel_values"].shape[2:] for part in parts}
        assert len(shapes) == 2
        assert sum(len(part["labels"]) for part in parts) == 4


def test_classes_without_annotations_are_not_asked_for_and_named(coco, processor):
    batches = make(coco, processor)
    assert batches.silent == ("drum",)
    assert all("drum" not in asked(batches(number), processor) for number in range(6))


def test_boxes_are_shares_of_the_picture_crowds_and_empty_boxes_left_out(coco, processor):
    batches = make(coco, processor, size=1, augment=False)
    by_size = {}
    for number in range(batches.per_epoch):
        batch = batches(number)
        (labels,) = batch["labels"]
        by_size[len(labels["boxes"]), batch["inputs"]["pixel_values"].shape[3]] = labels["boxes"]
    assert by_size[2, 128][0].tolist() == pytest.approx([0.2, 0.35, 0.2, 0.5])
    assert by_size[1, 85].tolist()[0] == pytest.approx([0.25, 0.75, 0.5, 0.5])  # gray, 40 x 60
    assert by_size[1, 77].tolist()[0] == pytest.approx([0.75, 0.75, 0.5, 0.5])  # turned, 60 x 100
    assert by_size[0, 128].shape == (0, 4)


def test_a_prompt_too_short_for_all_classes_asks_for_those_in_the_pictures(coco, processor):
    model = SimpleNamespace(config=SimpleNamespace(max_text_len=7), dtype=torch.float32)  # room for 5 tokens
    alone = DetectorBatches(coco.subset([2]), model, processor, 1, 0)
    assert asked(alone(0), processor) == ["pallet jack"]
    several = DetectorBatches(coco, model, processor, 4, 0, augment=False)
    for number in range(8):
        batch = several(number)
        assert 1 <= len(asked(batch, processor)) <= 2
        assert batch["inputs"]["input_ids"].shape[1] <= 7
        places = torch.cat([labels["class_labels"] for labels in batch["labels"]])
        assert int(places.max()) < len(asked(batch, processor))


def test_a_set_without_objects_is_refused(coco, processor):
    with pytest.raises(BadInput, match=r"set\.json: has no annotated object"):
        make(coco.subset([4]), processor)


def test_a_name_with_a_dot_is_refused(coco, processor):
    coco.categories[0]["name"] = "no. 4 box"
    with pytest.raises(BadInput, match=r"no\. 4 box"):
        make(coco, processor)


def test_boxes_of_objects_that_only_have_masks_are_the_masks(coco):
    for entry in coco.annotations_of(2):
        del entry["bbox"]
        entry["segmentation"] = [[4, 10, 14, 10, 14, 40, 4, 40]]
    boxes, classes = boxes_of(coco, 2)
    assert boxes[0] == pytest.approx([4, 10, 14, 40], abs=1)
    assert classes.tolist() == [1]


def test_augmentation_moves_boxes_with_their_objects():
    image = np.zeros((80, 120, 3), np.uint8)
    image[20:50, 30:70] = (250, 40, 40)
    boxes, classes = np.array([[30, 20, 70, 50]], np.float32), np.array([5])
    augment, kept = augmenter(), 0
    for seed in range(60):
        changed, moved, of = augment(image, boxes, classes, seed)
        assert changed.shape == image.shape and changed.dtype == np.uint8
        if not len(moved):
            continue
        kept += 1
        assert of.tolist() == [5]
        rows, columns = np.nonzero(changed[..., 0].astype(int) - changed[..., 1] > 60)
        tight = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert moved[0] == pytest.approx(tight, abs=2.5)
    assert kept > 50


def test_augmentation_of_a_seed_is_the_same_whatever_came_before():
    image = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    boxes, classes = np.array([[5, 5, 30, 30]], np.float32), np.array([0])
    one, other = augmenter(), augmenter()
    other(image, boxes, classes, 8)
    (a, box_a, _), (b, box_b, _) = one(image, boxes, classes, 9), other(image, boxes, classes, 9)
    assert np.array_equal(a, b) and np.array_equal(box_a, box_b)
