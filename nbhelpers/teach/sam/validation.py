"""How well masks from true boxes fit, with its interval over images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.metrics import mask_iou
from nbhelpers.teach.sam.embeddings import Embedding
from nbhelpers.teach.sam.objects import Picture
from nbhelpers.teach.sam.outlines import Masks, decode

AT_ONCE = 8  # pictures whose masks are held at once
_DRAWS, _LEVEL = 2000, 0.95


@dataclass(frozen=True)
class BoxScores:
    """Overlap of every object's mask with the true one.

    Attributes:
        iou: (objects,) float64, 0..1.
        predicted: (objects,) float32, what the model thought it would be.
        picture: (objects,) int64, number of the picture.
        classes: (objects,) int64, contiguous class index.
    """

    iou: NDArray[np.float64]
    predicted: NDArray[np.float32]
    picture: NDArray[np.int64]
    classes: NDArray[np.int64]

    @property
    def mean(self) -> float:
        """Mean IoU over objects."""
        return float(self.iou.mean())

    def interval(self, only: int | None = None) -> dict[str, float]:
        """Mean IoU over objects and its 95 % interval, a percentile bootstrap over pictures.

        Args:
            only: objects of one class.

        Returns:
            `value`, `low`, `high` and `n`, the number of objects; NaN where there are none.
        """
        kept = np.ones(len(self.iou), bool) if only is None else self.classes == only
        if not kept.any():
            return {"value": float("nan"), "low": float("nan"), "high": float("nan"), "n": 0}
        _, which = np.unique(self.picture[kept], return_inverse=True)
        sums, counts = np.bincount(which, self.iou[kept]), np.bincount(which)
        drawn = np.random.default_rng(0).integers(len(sums), size=(_DRAWS, len(sums)))
        means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
        low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
        value = float(self.iou[kept].mean())
        return {"value": value, "low": float(low), "high": float(high), "n": int(kept.sum())}


def score_boxes(
    model: Any, processor: Any, pictures: Sequence[Picture], embedding: Callable[[int], Embedding]
) -> BoxScores:
    """Prompt with every object's box and compare the mask with the true one, at the picture's size.

    Args:
        model: evaluating.
        processor: of the model.
        pictures: to look at.
        embedding: of a picture, given its image id.
    """
    iou: list[float] = []
    predicted: list[float] = []
    for start in range(0, len(pictures), AT_ONCE):
        part = pictures[start : start + AT_ONCE]
        maps = [embedding(picture.image_id) for picture in part]
        sizes, boxes = [picture.size for picture in part], [picture.boxes for picture in part]
        for picture, found in zip(part, decode(model, processor, maps, sizes, boxes), strict=True):
            iou += _overlaps(picture, found)
            predicted += found.iou.tolist()
    numbers = np.repeat(np.arange(len(pictures)), [len(picture.boxes) for picture in pictures])
    classes = np.concatenate([picture.classes for picture in pictures])
    return BoxScores(np.array(iou), np.array(predicted, np.float32), numbers, classes)


def _overlaps(picture: Picture, found: Masks) -> list[float]:
    return [
        float(mask_iou(mask[None], [rle])[0, 0]) for mask, rle in zip(found.masks, picture.rles, strict=True)
    ]
