"""From all boxes of the detector to those that count: thresholds per class, doubles removed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Candidates:
    """What the detector says about one picture, before anything is left out.

    Attributes:
        boxes: (Q, 4) float32 XYXY pixels of the picture.
        scores: (Q, C) float32, 0..1, of every class.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Chosen:
    """What is left, strongest first: rows of the candidates, which may repeat with another class.

    Attributes:
        row: (K,) int64.
        class_id: (K,) int64.
        score: (K,) float32.
    """

    row: NDArray[np.int64]
    class_id: NDArray[np.int64]
    score: NDArray[np.float32]


def candidates(
    model: Any, processor: Any, images: Sequence[NDArray[np.uint8]], class_names: Sequence[str], floor: float
) -> list[Candidates]:
    """All boxes whose best class scores at least `floor`, doubles included.

    Args:
        model: a Grounding DINO on its device.
        processor: its processor.
        images: (H, W, 3) uint8 RGB of one shape: they go through the model together.
        class_names: as many as wanted; `detect` asks for them in as many prompts as they need.
        floor: least score, 0..1.
    """
    from nbhelpers.teach.grounding_dino import detect

    found = detect(model, processor, images, class_names, floor, nms=None, batch_size=len(images))
    return [_candidates(detections, len(class_names)) for detections in found]


def _candidates(detections: Any, classes: int) -> Candidates:
    boxes = np.asarray(detections.xyxy, np.float32).reshape(-1, 4)
    scores = np.asarray(detections.data["class_scores"], np.float32).reshape(-1, classes)
    return Candidates(boxes, scores)


def choose(
    found: Candidates, least: NDArray[np.float32], nms: float, limit: int, multi_label: bool = False
) -> Chosen:
    """Leave out the weak and the doubled.

    Args:
        found: the candidates of one picture.
        least: (C,) least score of each class.
        nms: IoU above which of two boxes of one class the weaker goes, whichever prompt found it.
        limit: kept at most, strongest first.
        multi_label: let a box stand for every class above its threshold, as COCO's evaluation wants it; else
            for the class that scores highest.
    """
    import torch
    from torchvision.ops import batched_nms

    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    passes = (found.scores >= least) & (sides > 0).all(axis=1, keepdims=True)
    if not multi_label and len(passes):
        best = np.zeros_like(passes)
        best[np.arange(len(best)), found.scores.argmax(axis=1)] = True
        passes &= best
    row, class_id = np.nonzero(passes)
    score = found.scores[row, class_id]
    kept = batched_nms(
        torch.from_numpy(found.boxes[row]), torch.from_numpy(score), torch.from_numpy(class_id), nms
    )
    order = kept.numpy()[:limit]
    return Chosen(row[order], class_id[order], score[order])
