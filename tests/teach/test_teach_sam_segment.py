"""Masks for boxes: the same as the stock processor gives, with and without kept embeddings."""

import numpy as np
import pytest
import torch
from sam_sets import picture, small_sam2, twin

from nbhelpers.errors import BadInput
from nbhelpers.teach.sam import EmbeddingCache, embed, embed_through, encoder_digest, placed, segment

SIZES = [(96, 120), (128, 128), (301, 77), (64, 257)]
MODELS = pytest.mark.parametrize("get", [twin, small_sam2])
BOXES = np.array([[20.0, 12, 60, 48], [1, 2, 70, 60], [30.5, 40.25, 50.75, 63]], np.float32)


def stock(model, processor, image, boxes):
    """Masks (K, H, W) and predicted IoU (K,) as the documentation of the class computes them."""
    inputs = processor(images=image, input_boxes=[boxes.tolist()], return_tensors="pt")
    sizes = [inputs.pop("original_sizes")]
    if "reshaped_input_sizes" in inputs:
        sizes.append(inputs.pop("reshaped_input_sizes"))
    inputs = {name: value.float() for name, value in inputs.items()}
    with torch.inference_mode():
        output = model(**inputs, multimask_output=False)
    masks = processor.image_processor.post_process_masks(output.pred_masks, *[s.tolist() for s in sizes])[0]
    return masks[:, 0].numpy(), output.iou_scores[0, :, 0].numpy()


@MODELS
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_placement_is_the_processors(get, size):
    _, processor = get()
    inputs = processor(images=picture(*size), input_boxes=[BOXES.tolist()], return_tensors="pt")
    place = placed(processor, size)
    np.testing.assert_allclose(place.to_input(BOXES), inputs["input_boxes"][0].numpy(), rtol=1e-6)
    resized = inputs.get("reshaped_input_sizes", [(128, 128)])[0]
    assert place.resized == tuple(int(side) for side in resized) and place.side == 128


@MODELS
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_masks_are_those_of_the_stock_processor(get, size):
    model, processor = get()
    image = picture(*size)
    (found,) = segment(model, processor, [image], [BOXES])
    masks, iou = stock(model, processor, image, BOXES)
    assert found.masks.shape == (3, *size) and found.masks.dtype == bool
    assert (found.masks != masks).mean() < 1e-4  # another order of sums: a pixel at logit 0 may turn
    np.testing.assert_allclose(found.iou, iou, atol=1e-4)


def test_a_mask_lies_where_its_object_is_in_the_picture():
    """Back from the input to the picture, to half a pixel, whatever its shape."""
    from nbhelpers.teach.sam.outlines import full_size

    _, processor = twin()
    for size in SIZES:
        place = placed(processor, size)
        edge = 24.0  # where the mask begins and ends in the input; the decoder's places are 2 px there
        logits = torch.full((64, 64), -4.0)
        low, high = int(edge / 2), int((edge + 16) / 2)
        logits[low:high, low:high] = 4.0
        (mask,) = full_size(processor, [logits], place)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        for found, scale, length in ((columns, place.scale[0], size[1]), (rows, place.scale[1], size[0])):
            wanted = np.clip(np.array([edge, edge + 16]) / scale, 0, length)
            assert abs(found[0] - wanted[0]) <= 0.5 + 0.5 / scale
            assert abs(found[-1] + 1 - wanted[1]) <= 0.5 + 0.5 / scale


@MODELS
def test_batching_changes_nothing_and_no_boxes_give_no_masks(get):
    model, processor = get()
    images = [picture(*size, seed=number) for number, size in enumerate(SIZES)]
    boxes = [BOXES, np.zeros((0, 4)), BOXES[:1], [[0, 0, 60, 60], [10, 10, 40, 50]]]
    together = segment(model, processor, images, boxes)
    apart = segment(model, processor, images, boxes, prompts_per_call=1)
    assert [len(found.masks) for found in together] == [3, 0, 1, 2]
    assert together[1].masks.shape == (0, *SIZES[1]) and together[1].iou.shape == (0,)
    for one, other in zip(together, apart, strict=True):
        assert (one.masks != other.masks).sum() <= 2
        np.testing.assert_allclose(one.iou, other.iou, atol=1e-5)
    assert segment(model, processor, [], []) == []


@MODELS
@pytest.mark.parametrize(("dtype", "turned"), [("float32", 0), ("float16", 1e-3)])
def test_masks_with_and_without_the_cache(get, dtype, turned, tmp_path):
    model, processor = get()
    images = [picture(*size, seed=number) for number, size in enumerate(SIZES)]
    cache = EmbeddingCache(tmp_path, 1, encoder_digest(model, processor), dtype)
    fresh = [embed_through(cache, model, processor, image) for image in images]
    kept = [embed_through(cache, model, processor, image) for image in images]
    assert cache.hits == len(images)
    boxes = [BOXES] * len(images)
    plain = segment(model, processor, images, boxes)
    first, second = (segment(model, processor, images, boxes, embeddings=maps) for maps in (fresh, kept))
    for a, b, c in zip(plain, first, second, strict=True):
        assert np.array_equal(b.masks, c.masks) and np.array_equal(b.iou, c.iou)
        assert (a.masks != b.masks).mean() <= turned


@MODELS
def test_points_beside_the_boxes_are_heard(get):
    model, processor = get()
    image = picture()
    points = np.array([[[30.0, 20]], [[10, 50]], [[40, 60]]])
    (with_points,) = segment(model, processor, [image], [BOXES], points=[points])
    inputs = processor(
        images=image,
        input_boxes=[BOXES.tolist()],
        input_points=[points.tolist()],
        input_labels=[[[1], [1], [1]]],
        return_tensors="pt",
    )
    sizes = [inputs[name] for name in ("original_sizes", "reshaped_input_sizes") if name in inputs]
    with torch.inference_mode():
        output = model(
            pixel_values=inputs["pixel_values"],
            input_boxes=inputs["input_boxes"].float(),
            input_points=inputs["input_points"].float(),
            multimask_output=False,
        )
    stock_masks = processor.image_processor.post_process_masks(
        output.pred_masks, *[s.tolist() for s in sizes]
    )
    assert (with_points.masks != stock_masks[0][:, 0].numpy()).mean() < 1e-4
    (without,) = segment(model, processor, [image], [BOXES])
    assert not np.allclose(with_points.iou, without.iou)


def test_given_embeddings_are_used_and_the_encoder_is_not(monkeypatch):
    model, processor = twin()
    maps = embed(model, processor, picture(seed=5))
    monkeypatch.setattr(type(model.vision_encoder), "forward", lambda *_, **__: pytest.fail("encoder ran"))
    (found,) = segment(model, processor, [picture(seed=1)], [BOXES], embeddings=[maps])
    assert found.masks.any()


def test_twin_finds_drawn_objects(tmp_path):
    """A known answer: the committed twin on scenes of the site it was trained on."""
    from nbhelpers.data import draw_scenes
    from nbhelpers.metrics import mask_iou

    coco = draw_scenes(tmp_path, 4, (160, 120), 5)
    truths = [coco.detections(image_id) for image_id in coco.image_ids]
    images = [coco.image(image_id) for image_id in coco.image_ids]
    found = segment(*twin(), images, [truth.xyxy for truth in truths])
    overlaps = np.concatenate(
        [np.diag(mask_iou(a.masks, truth.mask)) for a, truth in zip(found, truths, strict=True)]
    )
    assert overlaps.mean() > 0.7
    assert np.abs(np.concatenate([a.iou for a in found]) - overlaps).mean() < 0.2


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([[130, 10, 150, 40]], r"picture 0: box 0 .* has no area inside the picture of 120 x 96 pixels"),
        ([[1, 1, 9, 9], [20, 40, 20, 60]], "box 1"),
        ([[1, 1, 9, float("nan")]], "box 0"),
        ([[-9, -9, -1, -1]], "box 0"),
        ([[1, 2, 3]], r"shape \(1, 3\)"),
    ],
)
def test_boxes_that_cannot_be(boxes, message):
    with pytest.raises(BadInput, match=message):
        segment(*twin(), [picture()], [boxes])


def test_boxes_over_the_edge_are_cut():
    over, cut = (segment(*twin(), [picture()], [[box]])[0] for box in ([-20, 10, 60, 500], [0.0, 10, 60, 96]))
    assert np.array_equal(over.masks, cut.masks) and np.array_equal(over.iou, cut.iou)


def test_lists_of_unequal_length():
    with pytest.raises(BadInput, match="2 images and 1 entries in boxes_per_image"):
        segment(*twin(), [picture(), picture()], [BOXES])
