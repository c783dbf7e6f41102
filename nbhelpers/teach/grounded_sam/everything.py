"""SAM alone: masks of everything, from a grid of points (Kirillov et al. 2023, section 5 and appendix B).

After `SamAutomaticMaskGenerator` of the original code, with two differences that keep memory flat on large
pictures: stability and doubles are judged on the decoder's own masks (a quarter of the input's side), and
only masks that are kept are brought to the picture's size. Crops of the picture are not looked at again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from nbhelpers.teach.sam import Placed

_PER_SIDE = 32  # points of the original code, for an embedding of 64 x 64 places


@dataclass(frozen=True)
class Grid:
    """How masks of everything are looked for; the defaults are those of the original code.

    Attributes:
        points_per_side: of the grid; None is 32, or fewer where the embedding has fewer places a side.
        predicted_iou: least score the model gives its own mask, where no threshold is set.
        stability: least IoU of the mask cut at logit +`offset` with the mask cut at -`offset`.
        offset: logits.
        nms: IoU of boxes above which the weaker mask goes.
        points_per_call: that go through the decoder at once.
    """

    points_per_side: int | None = None
    predicted_iou: float = 0.88
    stability: float = 0.95
    offset: float = 1.0
    nms: float = 0.7
    points_per_call: int = 64


@dataclass(frozen=True)
class Everything:
    """Masks of one picture, strongest first.

    Attributes:
        masks: (K, H, W) bool.
        boxes: (K, 4) float32 XYXY pixels, tight.
        scores: (K,) float32, the model's own estimate of each mask's IoU, cut to 0..1.
    """

    masks: NDArray[np.bool_]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Answers:
    """What the decoder says to all points, before doubles and unstable masks are left out.

    Attributes:
        logits: (M, h, w) float32, masks at the decoder's size.
        scores: (M,) float32, predicted IoU, cut to 0..1.
        stability: (M,) float32, 0..1, see `Grid.stability`.
    """

    logits: "Tensor"
    scores: "Tensor"
    stability: "Tensor"


def segment_everything(
    model: Any,
    processor: Any,
    embedding: "Sequence[Tensor]",
    place: "Placed",
    grid: Grid,
    least: float,
    limit: int = 100,
) -> Everything:
    """Masks of everything in one picture.

    Args:
        model: SamModel or Sam2Model, not wrapped.
        processor: of the model.
        embedding: of the picture, see `teach.sam.embed`.
        place: where the picture lies in the input.
        grid: settings.
        least: least predicted IoU of a mask.
        limit: masks kept at most.
    """
    found = all_answers(model, embedding, place, grid, least, grid.stability)
    return best_of(processor, found, place, grid, limit)


def all_answers(
    model: Any,
    embedding: "Sequence[Tensor]",
    place: "Placed",
    grid: Grid,
    least: float,
    stability: float,
) -> Answers:
    """The decoder's masks for every point of the grid that score and are stable enough."""
    import torch

    points = _points(place, grid.points_per_side or min(_PER_SIDE, embedding[-1].shape[-1]))
    parts = [
        _good(*_answers(model, embedding, chunk), place, grid.offset, least, stability)
        for chunk in points.split(grid.points_per_call)
    ]
    logits, scores, stable = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return Answers(logits, scores, stable)


def best_of(
    processor: Any, found: Answers, place: "Placed", grid: Grid, limit: int, stability: float = 0.0
) -> Everything:
    """Leave out unstable masks and doubles, and bring the rest to the picture's size."""
    from torchvision.ops import nms

    stable = found.stability >= stability
    logits, scores = found.logits[stable], found.scores[stable]
    kept = nms(_low_boxes(logits > 0), scores, grid.nms)[:limit]
    return _full(processor, logits[kept], scores[kept], place)


def _points(place: "Placed", per_side: int) -> "Tensor":
    """(per_side squared, 2) float32 x, y in pixels of the input, spread evenly over the picture."""
    import torch

    steps = (torch.arange(per_side, dtype=torch.float32) + 0.5) / per_side
    y, x = torch.meshgrid(steps * place.resized[0], steps * place.resized[1], indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


def _answers(model: Any, embedding: "Sequence[Tensor]", points: "Tensor") -> "tuple[Tensor, Tensor]":
    """Mask logits (3P, h, w) and predicted IoU (3P,), float32: three masks for every point."""
    import torch

    maps = [level[None].to(model.device, model.dtype) for level in embedding]
    given = {
        "input_points": points[None, :, None].to(model.device),  # in float32: halves round pixels
        "input_labels": torch.ones((1, len(points), 1), dtype=torch.int64, device=model.device),
    }
    with torch.inference_mode():
        output = model(image_embeddings=maps[0] if len(maps) == 1 else maps, multimask_output=True, **given)
    return output.pred_masks[0].flatten(0, 1).float(), output.iou_scores[0].flatten().float()


def _good(
    logits: "Tensor", scores: "Tensor", place: "Placed", offset: float, least: float, stability: float
) -> "tuple[Tensor, Tensor, Tensor]":
    """Masks the model trusts and that a shifted cut would not change; what lies in padding does not count."""
    trusted = scores >= least
    logits, scores = logits[trusted], scores[trusted]
    share = logits.shape[-1] / place.side
    height, width = (max(1, round(side * share)) for side in place.resized)
    inside = logits[:, :height, :width]
    small, large = (inside > offset).sum((1, 2)), (inside > -offset).sum((1, 2))
    stable = small / large.clamp(min=1)
    good = (stable >= stability) & (inside > 0).any(2).any(1)
    return logits[good], scores[good].clamp(0, 1), stable[good]


def _low_boxes(masks: "Tensor") -> "Tensor":
    """(K, 4) XYXY boxes of masks in places of the decoder's answer; none of them is empty."""
    from torchvision.ops import masks_to_boxes

    boxes = masks_to_boxes(masks)
    boxes[:, 2:] += 1  # the last place belongs to the mask
    return boxes


def _full(processor: Any, logits: "Tensor", scores: "Tensor", place: "Placed") -> Everything:
    """Kept masks at the picture's size; those that vanish there are left out."""
    import torch

    from nbhelpers.teach.sam import full_size

    masks = full_size(processor, list(logits), place)
    filled = masks.any(axis=(1, 2))
    masks = masks[filled]
    boxes = _low_boxes(torch.from_numpy(masks)).numpy().astype(np.float32)
    return Everything(masks, boxes, scores.cpu().numpy()[filled])
