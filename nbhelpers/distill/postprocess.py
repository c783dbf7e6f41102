"""Around every engine: letterbox an image into the network's input, decode raw outputs into its pixels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import supervision as sv

GRAY = 114  # the padding ultralytics trains with
_MAX_CANDIDATES = 30_000  # before suppression, as in ultralytics


@dataclass(frozen=True)
class Letterbox:
    """Where an image lies in the square input: its pixels became `inner_*` at (`left`, `top`)."""

    width: int
    height: int
    size: int
    inner_width: int
    inner_height: int
    left: int
    top: int

    @property
    def scale(self) -> tuple[float, float]:
        """Input pixels per image pixel, along x and y (they differ by rounding only)."""
        return self.inner_width / self.width, self.inner_height / self.height

    def to_image(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """Boxes (N, 4) XYXY in input pixels to float32 XYXY in image pixels, clipped to the image."""
        scale_x, scale_y = self.scale
        shift = np.array([self.left, self.top, self.left, self.top], np.float32)
        boxes = (boxes_xyxy - shift) / np.array([scale_x, scale_y, scale_x, scale_y], np.float32)
        limits = np.array([self.width, self.height, self.width, self.height], np.float32)
        return np.clip(boxes, 0, limits).astype(np.float32)

    def to_input(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """Boxes (N, 4) XYXY in image pixels to float32 XYXY in input pixels."""
        scale_x, scale_y = self.scale
        boxes = boxes_xyxy * np.array([scale_x, scale_y, scale_x, scale_y], np.float32)
        return (boxes + np.array([self.left, self.top, self.left, self.top], np.float32)).astype(np.float32)


def place(width: int, height: int, size: int) -> Letterbox:
    """Where an image lies in a square input of `size` pixels: centred, aspect kept."""
    ratio = min(size / width, size / height)
    inner_w, inner_h = max(round(width * ratio), 1), max(round(height * ratio), 1)
    # Half a pixel goes to the left and top, as ultralytics rounds it.
    left, top = round((size - inner_w) / 2 - 0.1), round((size - inner_h) / 2 - 0.1)
    return Letterbox(width, height, size, inner_w, inner_h, left, top)


def letterbox(image: np.ndarray, size: int) -> tuple[np.ndarray, Letterbox]:
    """Fit an image into a gray square, keeping its aspect.

    Args:
        image: (H, W, 3) uint8 RGB.
        size: side of the square, pixels.

    Returns:
        (3, size, size) float32 RGB 0..1, contiguous, and the placement needed to come back.

    Raises:
        BadInput: the array has another shape or dtype.
    """
    import cv2

    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise BadInput(
            f"image of shape {image.shape} and dtype {image.dtype}: give height x width x 3, uint8, RGB"
        )
    placed = place(image.shape[1], image.shape[0], size)
    inner = image
    if (placed.inner_height, placed.inner_width) != image.shape[:2]:
        inner = cv2.resize(image, (placed.inner_width, placed.inner_height), interpolation=cv2.INTER_LINEAR)
    canvas = np.full((size, size, 3), GRAY, np.uint8)
    canvas[placed.top : placed.top + placed.inner_height, placed.left : placed.left + placed.inner_width] = (
        inner
    )
    return np.ascontiguousarray(canvas.transpose(2, 0, 1), dtype=np.float32) / np.float32(255), placed


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
