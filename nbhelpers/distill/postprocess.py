"""After every engine: raw outputs decoded into the pixels of the image (see `nbhelpers.data.letterbox`)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.data.letterbox import GRAY, Letterbox, letterbox, place
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["GRAY", "Candidates", "Letterbox", "candidates", "decode", "letterbox", "place"]

_MAX_CANDIDATES = 30_000  # before suppression, as in ultralytics


@dataclass(frozen=True)
class Candidates:
    """What survived suppression, strongest first, still in pixels of the network's input."""

    boxes_xyxy: np.ndarray  # (N, 4) float32
    scores: np.ndarray  # (N,) float32
    classes: np.ndarray  # (N,) int
    coefficients: np.ndarray  # (N, M) float32; M is 0 for detection

    def __getitem__(self, keep: Any) -> "Candidates":
        return Candidates(
            self.boxes_xyxy[keep], self.scores[keep], self.classes[keep], self.coefficients[keep]
        )


def decode(
    outputs: list[np.ndarray],
    placed: Letterbox,
    task: str,
    confidence: float = 0.25,
    iou: float = 0.7,
    *,
    max_detections: int = 100,
    multi_label: bool = False,
    class_names: list[str] | None = None,
) -> "sv.Detections":
    """Turn the raw outputs for one image into detections in that image's pixels.

    Args:
        outputs: the network's tensors for a batch of one: (1, 4 + C (+ M), anchors) and, for segmentation,
            the
            prototypes (1, M, h, w); any float dtype.
        placed: what `letterbox` returned for this image.
        task: "detect" or "segment".
        confidence: least class score, 0..1.
        iou: overlap above which the weaker of two boxes of one class is dropped, 0..1.
        max_detections: kept at most, strongest first; COCO counts 100, ultralytics gives 300.
        multi_label: let one box give one detection per class above `confidence` (evaluation does, as COCO
            tools do).
        class_names: by class index; adds `data["class_name"]`.

    Returns:
        Boxes XYXY float32, confidence float32, class_id int; masks (N, H, W) bool at image resolution for
        "segment".
    """
    import supervision as sv

    from nbhelpers.distill.masks import mask_stack

    prototypes = np.asarray(outputs[1], np.float32)[0] if task == "segment" else None
    found = candidates(
        outputs[0], 0 if prototypes is None else len(prototypes), confidence, iou, max_detections, multi_label
    )
    boxes = placed.to_image(found.boxes_xyxy)
    masks = None
    if prototypes is not None:
        masks = mask_stack(prototypes, found.coefficients, boxes, placed)
        # A box whose mask came out empty is no segmentation; ultralytics drops it too.
        filled = masks.any(axis=(1, 2))
        found, boxes, masks = found[filled], boxes[filled], masks[filled]
    data: dict[str, Any] = {}
    if class_names is not None:
        data["class_name"] = np.array([class_names[index] for index in found.classes], dtype=str)
    return sv.Detections(
        xyxy=boxes, mask=masks, confidence=found.scores, class_id=found.classes.astype(int), data=data
    )


def candidates(
    raw: np.ndarray,
    coefficients: int,
    confidence: float,
    iou: float,
    limit: int = 300,
    multi_label: bool = False,
) -> Candidates:
    """Threshold, suppress class-wise and sort the raw predictions of one image.

    Args:
        raw: (1, 4 + C + `coefficients`, anchors) or without the batch axis; boxes XYWH (centre), class
            scores, then
            mask coefficients.
        coefficients: how many mask coefficients there are (0 for detection).
        confidence: least class score, 0..1.
        iou: overlap above which the weaker of two boxes of one class is dropped.
        limit: kept at most.
        multi_label: one detection per class above `confidence` instead of the best class only.
    """
    import torch
    from torchvision.ops import batched_nms

    rows = _rows(raw)
    classes = rows.shape[1] - 4 - coefficients
    if classes < 1:
        raise BadInput(
            f"raw output with {rows.shape[1]} channels holds no class scores for {coefficients} coefficients"
        )
    anchor, label = _above(rows[:, 4 : 4 + classes], confidence, multi_label)
    score = rows[anchor, 4 + label]
    strongest = np.argsort(-score, kind="stable")[:_MAX_CANDIDATES]
    anchor, label, score = anchor[strongest], label[strongest], score[strongest]
    boxes = _xyxy(rows[anchor, :4])
    keep = batched_nms(torch.from_numpy(boxes), torch.from_numpy(score), torch.from_numpy(label), iou)
    order = keep.numpy()[:limit]
    return Candidates(boxes[order], score[order], label[order], rows[anchor[order], 4 + classes :])


def _rows(raw: np.ndarray) -> np.ndarray:
    """Raw predictions as (anchors, channels) float32; one image only."""
    if raw.ndim == 3 and raw.shape[0] != 1:
        raise BadInput(f"raw output of shape {raw.shape}: decode one image of the batch at a time")
    image = raw[0] if raw.ndim == 3 else raw
    return np.ascontiguousarray(np.asarray(image, np.float32).T)


def _above(scores: np.ndarray, confidence: float, multi_label: bool) -> tuple[np.ndarray, np.ndarray]:
    """Anchors and classes whose score exceeds `confidence`: the best class of an anchor, or each of them."""
    if multi_label:
        anchor, label = np.nonzero(scores > confidence)
        return anchor, label
    label = scores.argmax(axis=1)
    anchor = np.flatnonzero(scores[np.arange(len(scores)), label] > confidence)
    return anchor, label[anchor]


def _xyxy(boxes_xywh: np.ndarray) -> np.ndarray:
    """Centre XYWH to corner XYXY, float32."""
    centre, half = boxes_xywh[:, :2], boxes_xywh[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)
