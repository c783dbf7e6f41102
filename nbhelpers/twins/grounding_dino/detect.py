"""Boxes from a Grounding DINO for a list of class names; class ids by token span, doubles removed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.twins.grounding_dino.vocabulary import prompt_of

if TYPE_CHECKING:
    import supervision as sv
    from torch import Tensor


def detect(
    model: Any,
    processor: Any,
    images: Sequence[np.ndarray],
    class_names: Sequence[str],
    threshold: float = 0.25,
    nms: float | None = 0.5,
    batch_size: int = 16,
) -> "list[sv.Detections]":
    """Find objects of the named classes, with any `GroundingDinoForObjectDetection` and its processor.

    A class's score is the mean over the tokens of its phrase, as in the benchmark code of Grounding DINO; a
    box belongs to the class that scores highest. Taking classes from the decoded text instead mixes up names
    that share words.

    Args:
        model: on any device; put into eval mode.
        processor: its stock processor.
        images: (H, W, 3) uint8 RGB each.
        class_names: the prompt, in this order; `_` is read as a space.
        threshold: least score, 0..1.
        nms: IoU from which the weaker of two boxes of one class is removed; None keeps doubles, as the
            stock post-processing does.
        batch_size: pictures per forward pass; pictures of one shape go together.

    Returns:
        Per picture boxes XYXY in its pixels, `class_id` (index in `class_names`) and `confidence`.

    Raises:
        BadInput: no class names, or a name that is empty or has a delimiter of prompts in it.
    """
    _check_names(class_names)
    model.eval()
    results: dict[int, sv.Detections] = {}
    for numbers in _same_shape(images, batch_size):
        chosen = [images[number] for number in numbers]
        scores, boxes = _forward(model, processor, chosen, prompt_of(class_names))
        for number, own_scores, own_boxes in zip(numbers, scores, boxes, strict=True):
            results[number] = _keep(own_scores, own_boxes, images[number].shape, threshold, nms)
    return [results[number] for number in range(len(images))]


def _check_names(class_names: Sequence[str]) -> None:
    if not class_names:
        raise BadInput("class_names is empty: name at least one class to look for")
    for name in class_names:
        if not name.strip() or any(mark in name for mark in ".?"):
            raise BadInput(
                f"class name {name!r}: give words without '.' and '?', which part the phrases of a prompt"
            )


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


def _forward(model: Any, processor: Any, images: list[np.ndarray], prompt: str) -> "tuple[Tensor, Tensor]":
    """Class scores (B, Q, classes) and boxes (B, Q, 4), centre form, 0..1, on the CPU in float32."""
    import torch
    from transformers.models.grounding_dino.modeling_grounding_dino import build_label_maps

    inputs = processor(images=images, text=[prompt] * len(images), return_tensors="pt").to(model.device)
    inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
    with torch.inference_mode():
        outputs = model(**inputs)
    phrases = build_label_maps(outputs.logits, inputs["input_ids"])[0].float()  # (classes, T)
    mean = phrases / phrases.sum(dim=1, keepdim=True)
    scores = outputs.logits.float().sigmoid() @ mean.T
    return scores.cpu(), outputs.pred_boxes.float().cpu()


def _keep(
    scores: "Tensor", boxes: "Tensor", shape: tuple[int, ...], threshold: float, nms: float | None
) -> "sv.Detections":
    """Detections of one picture: scores (Q, classes), boxes (Q, 4) in centre form, shape (H, W, 3)."""
    import supervision as sv
    import torch
    from torchvision.ops import batched_nms, box_convert

    height, width = shape[:2]
    best, classes = scores.max(dim=1)
    strong = best >= threshold
    best, classes, boxes = best[strong], classes[strong], boxes[strong]
    corners = box_convert(boxes, "cxcywh", "xyxy").clamp(0, 1) * torch.tensor([width, height, width, height])
    keep = batched_nms(corners, best, classes, nms) if nms is not None else best.argsort(descending=True)
    return sv.Detections(
        xyxy=corners[keep].numpy(), confidence=best[keep].numpy(), class_id=classes[keep].numpy().astype(int)
    )
