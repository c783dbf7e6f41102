"""Boxes from a Grounding DINO for a list of class names; class ids by token span, doubles removed."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.teach.grounding_dino.prompt import Prompt, phrase_tokens, prompts_for, token_limit

if TYPE_CHECKING:
    import supervision as sv
    from torch import Tensor

SAME_OBJECT = 0.5  # IoU from which boxes of two prompts are taken for one object


@dataclass(frozen=True)
class _Found:
    """What one prompt found in one picture: scores (n, C), boxes XYXY (n, 4) as shares, classes asked for."""

    scores: "Tensor"
    boxes: "Tensor"
    classes: tuple[int, ...]


def detect(
    model: Any,
    processor: Any,
    images: Sequence[np.ndarray],
    class_names: Sequence[str],
    threshold: float = 0.25,
    nms: float | None = 0.5,
    batch_size: int = 8,
) -> "list[sv.Detections]":
    """Find objects of the named classes, with a Grounding DINO or MM Grounding DINO and its processor.

    A class's score is the mean over the tokens of its phrase, as in the benchmark code of Grounding DINO; a
    box belongs to the class that scores highest. Taking classes from the decoded text instead mixes up names
    that share words.

    More classes than one prompt holds are asked for in several prompts. A box found by one of them takes its
    scores for the classes of another from that prompt's boxes over it: score times overlap, the highest, and
    0 where no box overlaps it by half. So classes of different prompts compete as those of one do.

    Args:
        model: on any device, with or without an adapter; put into eval mode.
        processor: its stock processor, which resizes the pictures.
        images: (H, W, 3) uint8 RGB each.
        class_names: the prompt, in this order; `_` is read as a space.
        threshold: least score, 0..1.
        nms: IoU from which the weaker of two boxes of one class is removed; None keeps doubles, as the
            stock post-processing does.
        batch_size: pictures per forward pass; pictures of one shape go together.

    Returns:
        Per picture, strongest first: boxes XYXY in its pixels, `class_id` (index in `class_names`),
        `confidence`, and in `data["class_scores"]` (n, C) float32 the scores of all classes of each box.

    Raises:
        BadInput: no class names, or names that a prompt cannot hold or tell apart.
    """
    prompts = prompts_for(class_names, processor.tokenizer, token_limit(model, processor))
    model.eval()
    results: dict[int, sv.Detections] = {}
    for numbers in _same_shape(images, batch_size):
        chosen = [images[number] for number in numbers]
        by_prompt = [_forward(model, processor, chosen, prompt, len(class_names)) for prompt in prompts]
        for number, *found in zip(numbers, *by_prompt, strict=True):
            scores, boxes = _joined(found, threshold)
            results[number] = _keep(scores, boxes, images[number].shape, threshold, nms)
    return [results[number] for number in range(len(images))]


def _same_shape(images: Sequence[np.ndarray], batch_size: int) -> list[list[int]]:
    """Numbers of pictures in batches of one shape, so that no picture is padded."""
    shapes: dict[tuple[int, ...], list[int]] = {}
    for number, image in enumerate(images):
        shapes.setdefault(image.shape, []).append(number)
    return [
        numbers[start : start + batch_size]
        for numbers in shapes.values()
        for start in range(0, len(numbers), batch_size)
    ]


def _forward(
    model: Any, processor: Any, images: list[np.ndarray], prompt: Prompt, classes: int
) -> list[_Found]:
    """One prompt over a batch; all queries, on the CPU in float32, scores of classes not asked for 0."""
    import torch
    from torchvision.ops import box_convert

    inputs = processor(images=images, text=[prompt.text] * len(images), return_tensors="pt").to(model.device)
    inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
    with torch.inference_mode(), _half_precision(model):
        outputs = model(**inputs)
    tokens = phrase_tokens(inputs["input_ids"][0], outputs.logits.shape[-1])  # (phrases, T)
    asked = outputs.logits.float().sigmoid() @ (tokens / tokens.sum(dim=1, keepdim=True)).T
    scores = torch.zeros((*asked.shape[:2], classes))
    scores[..., list(prompt.classes)] = asked.cpu()
    corners = box_convert(outputs.pred_boxes.float().cpu(), "cxcywh", "xyxy").clamp(0, 1)
    return [_Found(own, boxes, prompt.classes) for own, boxes in zip(scores, corners, strict=True)]


def _half_precision(model: Any) -> "contextlib.AbstractContextManager[Any]":
    """Autocast where the weights are half precision: the class makes some float32 tensors of its own."""
    import torch

    if model.dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(model.device.type, model.dtype)


def _joined(found: Sequence[_Found], threshold: float) -> "tuple[Tensor, Tensor]":
    """Scores (n, C) and boxes (n, 4) of one picture over all prompts."""
    import torch

    if len(found) == 1:
        return found[0].scores, found[0].boxes
    strong = [_above(one, threshold) for one in found]
    for one in strong:
        for other in strong:
            if other is not one:
                one.scores[:, list(other.classes)] = _scores_over(one.boxes, other)
    return torch.cat([one.scores for one in strong]), torch.cat([one.boxes for one in strong])


def _above(found: _Found, threshold: float) -> _Found:
    strong = found.scores.amax(dim=1) >= threshold
    return _Found(found.scores[strong], found.boxes[strong], found.classes)


def _scores_over(boxes: "Tensor", other: _Found) -> "Tensor":
    """What another prompt's boxes over these say of its classes: (n, its classes)."""
    from torchvision.ops import box_iou

    own = other.scores[:, list(other.classes)]
    if not len(own) or not len(boxes):
        return own.new_zeros((len(boxes), own.shape[1]))
    overlap = box_iou(boxes, other.boxes)
    overlap = overlap * (overlap >= SAME_OBJECT)
    # Weighed by overlap, so that the box a class was asked for with stays the strongest of its doubles.
    return (overlap[:, :, None] * own[None]).amax(dim=1)


def _keep(
    scores: "Tensor", boxes: "Tensor", shape: tuple[int, ...], threshold: float, nms: float | None
) -> "sv.Detections":
    """Detections of one picture: scores (n, C), boxes (n, 4) XYXY as shares, shape (H, W, 3)."""
    import supervision as sv
    import torch
    from torchvision.ops import batched_nms

    height, width = shape[:2]
    best, classes = scores.max(dim=1)
    strong = best >= threshold
    scores, best, classes = scores[strong], best[strong], classes[strong]
    corners = boxes[strong] * torch.tensor([width, height, width, height])
    keep = batched_nms(corners, best, classes, nms) if nms is not None else best.argsort(descending=True)
    return sv.Detections(
        xyxy=corners[keep].numpy(),
        confidence=best[keep].numpy(),
        class_id=classes[keep].numpy().astype(int),
        data={"class_scores": scores[keep].numpy()},
    )
