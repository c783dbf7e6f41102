"""Masks for boxes, with SAM or SAM 2, from pictures or from embeddings that were kept."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbhelpers.errors import BadInput
from nbhelpers.teach.sam.embeddings import Embedding, embed, plain_model
from nbhelpers.teach.sam.placement import Placed, placed
from nbhelpers.teach.sam.prompts import checked_boxes

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PROMPTS = 32  # that go through the decoder at once
_PIXELS = 32 << 20  # of masks brought to the picture's size at once: 128 MiB of float32


class Masks(NamedTuple):
    """What was found for the boxes of one picture.

    Attributes:
        masks: (K, H, W) bool at the picture's size.
        iou: (K,) float32, how well the model thinks each mask fits; about 0 to 1.
    """

    masks: NDArray[np.bool_]
    iou: NDArray[np.float32]


def segment(
    model: Any,
    processor: Any,
    images: Sequence[NDArray[np.uint8]],
    boxes_per_image: Sequence[Any],
    embeddings: Sequence[Embedding] | None = None,
    points: Sequence[Any] | None = None,
    prompts_per_call: int = PROMPTS,
) -> list[Masks]:
    """One mask per box.

    Args:
        model: SamModel or Sam2Model, wrapped by peft or not; put into evaluation mode by the caller.
        processor: of the model.
        images: (H, W, 3) uint8 RGB each.
        boxes_per_image: (K, 4) XYXY pixels of the picture each; K may be 0. Edges outside are cut.
        embeddings: of the pictures, where they are known; the encoder is then not used.
        points: (K, P, 2) x, y pixels of the picture each: points on the object, beside its box.
        prompts_per_call: boxes that go through the decoder at once, of whichever pictures.

    Raises:
        BadInput: lists of unequal length, or a box without area inside its picture.
    """
    lists = {"boxes_per_image": boxes_per_image, "embeddings": embeddings, "points": points}
    for name, given in lists.items():
        if given is not None and len(given) != len(images):
            raise BadInput(f"segment: {len(images)} images and {len(given)} entries in {name}; give one each")
    if embeddings is None:  # a picture without boxes need not be looked at
        wanted = zip(images, boxes_per_image, strict=True)
        embeddings = [embed(model, processor, image) if len(boxes) else () for image, boxes in wanted]
    sizes = [(int(image.shape[0]), int(image.shape[1])) for image in images]
    return decode(model, processor, embeddings, sizes, boxes_per_image, points, prompts_per_call)


def decode(
    model: Any,
    processor: Any,
    embeddings: Sequence[Embedding],
    sizes: Sequence[tuple[int, int]],
    boxes_per_image: Sequence[Any],
    points: Sequence[Any] | None = None,
    prompts_per_call: int = PROMPTS,
) -> list[Masks]:
    """`segment` for pictures of which only the embeddings and the sizes (height, width) are at hand."""
    places = [placed(processor, size) for size in sizes]
    boxes = [
        checked_boxes(given, size, f"picture {number}")
        for number, (given, size) in enumerate(zip(boxes_per_image, sizes, strict=True))
    ]
    pairs = [(image, row) for image, found in enumerate(boxes) for row in range(len(found))]
    logits: list[list[Tensor]] = [[] for _ in boxes]
    scores: list[list[float]] = [[] for _ in boxes]
    for start in range(0, len(pairs), prompts_per_call):
        chunk = pairs[start : start + prompts_per_call]
        found, iou = _decode_chunk(model, embeddings, places, boxes, points, chunk)
        for (image, _), mask, value in zip(chunk, found, iou.tolist(), strict=True):
            logits[image].append(mask)
            scores[image].append(value)
    return [
        Masks(full_size(processor, found, place), np.array(iou, np.float32))
        for found, iou, place in zip(logits, scores, places, strict=True)
    ]


def _decode_chunk(
    model: Any,
    embeddings: Sequence[Embedding],
    places: Sequence[Placed],
    boxes: Sequence[NDArray[np.float32]],
    points: Sequence[Any] | None,
    pairs: Sequence[tuple[int, int]],
) -> "tuple[Tensor, Tensor]":
    """Mask logits (P, h, w) and predicted IoU (P,), float32, of pairs (picture, box)."""
    import torch

    # In the decoder's own dtype from here on: autocast refuses to stack float16 where it is told bfloat16.
    dtype = next(plain_model(model).mask_decoder.parameters()).dtype
    maps = zip(*(embeddings[image] for image, _ in pairs), strict=True)
    levels = [torch.stack([one.to(dtype) for one in level]) for level in maps]
    corners = np.stack([places[image].to_input(boxes[image][row]) for image, row in pairs])
    spots = None
    if points is not None:
        given = [places[image].to_input(np.asarray(points[image][row], np.float32)) for image, row in pairs]
        spots = torch.from_numpy(np.stack(given))
    with torch.no_grad():
        return prompt(model, levels, torch.from_numpy(corners), spots)


def prompt(
    model: Any, levels: "Sequence[Tensor]", boxes: "Tensor", points: "Tensor | None"
) -> "tuple[Tensor, Tensor]":
    """The decoder's answer to one box (and points) per embedding.

    Args:
        model: SamModel or Sam2Model, wrapped by peft or not.
        levels: feature maps (P, C, h, w), finest first; any device and floating dtype.
        boxes: (P, 4) float32 XYXY pixels of the model's input.
        points: (P, N, 2) float32 x, y pixels of the model's input, on the object; or None.

    Returns:
        Mask logits (P, h, w) and predicted IoU (P,), float32, on the model's device.
    """
    base = plain_model(model)
    weights = next(base.vision_encoder.parameters())
    maps = [level.to(weights.device, weights.dtype) for level in levels]
    prompts = {"input_boxes": boxes[:, None].to(weights.device)}
    if points is not None:
        prompts["input_points"] = points[:, None].to(weights.device)
    given = maps[0] if len(maps) == 1 else maps
    output = base(image_embeddings=given, multimask_output=False, **prompts)
    return output.pred_masks[:, 0, 0].float(), output.iou_scores[:, 0, 0].float()


def full_size(processor: Any, logits: "Sequence[torch.Tensor]", place: Placed) -> NDArray[np.bool_]:
    """Masks (K, H, W) bool through the stock processor's own way back to the picture."""
    parts = [_masks(processor, part, place) for part in _in_parts(logits, place)]
    return np.concatenate(parts) if parts else np.zeros((0, *place.original), bool)


def _in_parts(logits: "Sequence[torch.Tensor]", place: Placed) -> "Iterator[Sequence[torch.Tensor]]":
    count = max(1, _PIXELS // max(place.original[0] * place.original[1], place.side**2))
    for start in range(0, len(logits), count):
        yield logits[start : start + count]


def _masks(processor: Any, logits: "Sequence[torch.Tensor]", place: Placed) -> NDArray[np.bool_]:
    import torch

    images = getattr(processor, "image_processor", processor)
    sizes: list[list[tuple[int, int]]] = [[place.original]]
    if hasattr(images, "pad_size") and images.pad_size:  # SAM pads, SAM 2 stretches
        sizes.append([place.resized])
    found = images.post_process_masks([torch.stack(list(logits))[:, None]], *sizes)[0]
    return np.asarray(found[:, 0].cpu(), bool)
