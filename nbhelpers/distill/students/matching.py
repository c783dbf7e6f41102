"""Which prediction answers for which object, in two ways: one for each object, or several."""

from collections.abc import Iterator

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchvision.ops import box_iou, generalized_box_iou

from nbhelpers.distill.outputs import Targets

# Costs of the one-to-one matching, of DETR's successors (Zhu et al. 2021, arXiv:2010.04159): class, L1, GIoU.
_CLASS_COST, _L1_COST, _GIOU_COST = 2.0, 5.0, 2.0
_FOCAL_ALPHA, _FOCAL_GAMMA = 0.25, 2.0
# Of the one-to-many assignment (Feng et al. 2021, TOOD, arXiv:2108.07755): exponents of score and overlap.
_SCORE_POWER, _OVERLAP_POWER = 0.5, 6.0
_TINY = 1e-9


@torch.no_grad()
def one_to_one(
    class_logits: Tensor, boxes: Tensor, targets: Targets, size: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The cheapest matching of one prediction to each object (Carion et al. 2020, DETR, arXiv:2005.12872).

    Args:
        class_logits: (B, K, C).
        boxes: (B, K, 4) XYXY pixels of the input.
        targets: of the B inputs. With more objects than predictions some objects stay without any.
        size: side of the input, pixels, which boxes are divided by for their L1 cost.

    Returns:
        (M,) int64 each: input, prediction, object; sorted by input, then prediction.
    """
    image, place, target = [], [], []
    for index, objects in _objects(targets):
        classes, wanted = targets.classes[index, objects], targets.boxes[index, objects]
        cost = _cost(class_logits[index], boxes[index], classes, wanted, size)
        rows, columns = linear_sum_assignment(cost.cpu().numpy())
        image.append(torch.full((len(rows),), index))
        place.append(torch.from_numpy(rows))
        target.append(objects.cpu()[torch.from_numpy(columns)])
    device = boxes.device
    return _joined(image, device), _joined(place, device), _joined(target, device)


def _objects(targets: Targets) -> Iterator[tuple[int, Tensor]]:
    """Each input that shows any object, and the numbers of its objects."""
    for index, real in enumerate(targets.real):
        objects = real.nonzero()[:, 0]
        if len(objects):
            yield index, objects


def _joined(parts: list[Tensor], device: torch.device) -> Tensor:
    return torch.cat(parts).to(device) if parts else torch.zeros(0, dtype=torch.int64, device=device)


def _cost(class_logits: Tensor, boxes: Tensor, classes: Tensor, wanted: Tensor, size: float) -> Tensor:
    """(K, G) cost of each pair: focal class cost, L1 of centre, width and height, generalized IoU."""
    score = class_logits.float().sigmoid()[:, classes]
    present = _FOCAL_ALPHA * (1 - score) ** _FOCAL_GAMMA * -(score + 1e-8).log()
    absent = (1 - _FOCAL_ALPHA) * score**_FOCAL_GAMMA * -(1 - score + 1e-8).log()
    found = boxes.float()
    distance = torch.cdist(centred(found) / size, centred(wanted.float()) / size, p=1)
    overlap = generalized_box_iou(found, wanted.float())
    cost = _CLASS_COST * (present - absent) + _L1_COST * distance - _GIOU_COST * overlap
    # What has become NaN must not end a long training in the solver: it is the dearest, the loss will tell.
    return torch.nan_to_num(cost, nan=1e6, posinf=1e6, neginf=-1e6)


def centred(boxes_xyxy: Tensor) -> Tensor:
    """Corner boxes (..., 4) as centre X, centre Y, width, height."""
    low, high = boxes_xyxy[..., :2], boxes_xyxy[..., 2:]
    return torch.cat([(low + high) / 2, high - low], -1)


@torch.no_grad()
def one_to_many(
    class_logits: Tensor, boxes: Tensor, centres: Tensor, targets: Targets, most: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Task-aligned assignment: an object takes the places in it whose score and overlap agree best.

    Args:
        class_logits: (B, T, C).
        boxes: (B, T, 4) XYXY pixels.
        centres: (T, 2) XY pixels, where each place stands.
        targets: of the B inputs. An object that covers no place takes the one nearest to its middle.
        most: places per object.

    Returns:
        Input, place and object, (M,) int64 each, and what the class score of the pair should be, (M,)
        float32, 0..1: the object's best place has its overlap, the others less as they agree less.
    """
    parts = []
    for index, objects in _objects(targets):
        wanted, classes = targets.boxes[index, objects].float(), targets.classes[index, objects]
        score = class_logits[index].float().sigmoid()[:, classes].T
        overlap = box_iou(wanted, boxes[index].float())  # (G, T)
        place, owner, quality = _aligned(score, overlap, _inside(centres, wanted), most)
        parts.append((torch.full_like(place, index), place, objects[owner], quality))
    if not parts:
        none = torch.zeros(0, dtype=torch.int64, device=boxes.device)
        return none, none, none, torch.zeros(0, device=boxes.device)
    image, place, target, quality = (torch.cat(column) for column in zip(*parts, strict=True))
    return image, place, target, quality


def _aligned(score: Tensor, overlap: Tensor, inside: Tensor, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Places taken in one input, the object each answers for, and what its score should be; (P,) each."""
    agreement = score**_SCORE_POWER * overlap**_OVERLAP_POWER  # (G, T)
    chosen = _best_inside(agreement, inside, most)
    # A place wanted by two goes to the object it overlaps most; what is not chosen lies below all that is.
    owner = torch.where(chosen, overlap, -1.0).argmax(0)
    place = chosen.any(0).nonzero()[:, 0]
    owner = owner[place]
    own = torch.zeros_like(chosen)
    own[owner, place] = True
    agreement, kept = agreement * own, overlap * own
    aligned = agreement * (kept.amax(1, True) / agreement.amax(1, True).clamp(min=_TINY))
    return place, owner, aligned[owner, place]


def _inside(centres: Tensor, boxes: Tensor) -> Tensor:
    """(G, T) bool: places strictly in each box; at least the nearest to its middle."""
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    inside = ((centres > low) & (centres < high)).all(-1)
    nearest = torch.cdist(centred(boxes)[:, :2], centres).argmin(1)
    missed = ~inside.any(1)
    inside[missed, nearest[missed]] = True
    return inside


def _best_inside(agreement: Tensor, inside: Tensor, most: int) -> Tensor:
    """(G, T) bool: of the places in each box, the `most` that agree best."""
    ranked = torch.where(inside, agreement, -1.0).topk(min(most, agreement.shape[1]), 1)
    chosen = torch.zeros_like(inside)
    return chosen.scatter_(1, ranked.indices, ranked.values >= 0)
