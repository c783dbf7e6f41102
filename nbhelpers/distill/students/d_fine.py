"""D-FINE in training: predictions of all its layers, two assignments, its own box losses.

Learning from scratch, a DETR's one-to-one matching gives few objects to learn from. So the encoder's places,
which queries are chosen from, learn as a dense detector does, several of them for each object, while each
decoder layer is matched one to one. All stand side by side as places of one `Outputs`, so that the losses
every student has serve them all.

Sources: Peng et al. 2024 (D-FINE, arXiv:2410.13842; distances as distributions), Huang et al. 2024 (DEIM,
arXiv:2412.04234; matchability-aware class targets), Feng et al. 2021 (TOOD, arXiv:2108.07755).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from nbhelpers.distill.outputs import Assignment, Outputs, Targets
from nbhelpers.distill.students.d_fine_network import DFineNetwork, RawOutputs
from nbhelpers.distill.students.matching import centred, one_to_many, one_to_one

_PLACES_PER_OBJECT = 10
_QUALITY_POWER = 1.5  # of the overlap in a class target, and of the score in the weight of what is nothing


@dataclass(frozen=True)
class DFineOutputs:
    """What the losses of D-FINE alone read.

    Attributes:
        groups: (start, end) of each decoder layer's predictions along the places, its first guess first;
            the encoder's places follow the last.
        centres: (T, 2) XY pixels, where the encoder's places stand.
        distances: (B, L K, 4, R + 1) logits, and `references` (B, L K, 4) XYXY pixels, of the decoder's
            layers without its first guess.
        size: side of the input, pixels.
    """

    groups: tuple[tuple[int, int], ...]
    centres: Tensor
    distances: Tensor
    references: Tensor
    size: int


class TrainableDFine(nn.Module):
    """D-FINE as the training loop sees it; see `TrainableNetwork`."""

    def __init__(self, network: nn.Module, gains: Mapping[str, float]) -> None:
        super().__init__()
        self.network = cast(DFineNetwork, network)
        self.gains = dict(gains)
        config = cast(Any, self.network.detector).config
        self.feature_channels = (config.encoder_hidden_dim,) * config.num_feature_levels
        self._strides = tuple(config.feat_strides)

    def train_outputs(self, pixels: Tensor) -> Outputs:
        """See `TrainableNetwork`; the network must be in training mode.

        The places are the decoder's layers, first guess first, K queries each, then the encoder's places.
        """
        if not self.network.training:
            raise RuntimeError("train_outputs: the network is in eval mode; call train() first")
        raw = self.network.raw(pixels)
        size = pixels.shape[-1]
        boxes = torch.cat([raw.boxes.flatten(1, 2), raw.place_boxes], 1).float()
        return Outputs(
            class_logits=torch.cat([raw.logits.flatten(1, 2), raw.place_logits], 1).float(),
            boxes=_corners(boxes) * size,
            features=raw.maps,
            own=self._own(raw, size),
        )

    def _own(self, raw: RawOutputs, size: int) -> DFineOutputs:
        layers, queries = raw.logits.shape[1:3]
        return DFineOutputs(
            groups=tuple((layer * queries, (layer + 1) * queries) for layer in range(layers)),
            centres=_centres(self._strides, size, raw.boxes.device),
            distances=raw.distances.flatten(1, 2).unflatten(2, (4, -1)).float(),
            references=_corners(raw.references.flatten(1, 2).float()) * size,
            size=size,
        )

    @torch.no_grad()
    def assign(self, outputs: Outputs, targets: Targets) -> Assignment:
        """Each decoder layer one to one, the encoder's places several to an object; all weigh alike."""
        own = cast(DFineOutputs, outputs.own)
        class_targets = torch.zeros_like(outputs.class_logits)
        weights = (
            outputs.class_logits.sigmoid() ** _QUALITY_POWER
        )  # what is nothing counts if it looks like something
        objects = (targets.weights * targets.real).sum().clamp(min=1)
        pairs = []
        for start, end in own.groups:
            image, place, target = one_to_one(
                outputs.class_logits[:, start:end], outputs.boxes[:, start:end], targets, own.size
            )
            place = place + start
            overlap = _overlaps(outputs.boxes[image, place], targets.boxes[image, target])
            weight, kind = targets.weights[image, target], targets.classes[image, target]
            class_targets[image, place, kind] = overlap**_QUALITY_POWER
            weights[image, place, kind] = weight
            pairs.append((image, place, target, weight))
        start = own.groups[-1][1]
        logits, boxes = outputs.class_logits[:, start:], outputs.boxes[:, start:]
        image, place, target, quality = one_to_many(logits, boxes, own.centres, targets, _PLACES_PER_OBJECT)
        quality = quality * targets.weights[image, target]
        scale = objects / quality.sum().clamp(min=1)
        weights[:, start:] = scale
        class_targets[image, place + start, targets.classes[image, target]] = quality
        pairs.append((image, place + start, target, quality * scale))
        image, place, target, weight = (torch.cat(column) for column in zip(*pairs, strict=True))
        return Assignment(image, place, target, weight, class_targets, weights, objects)

    def box_terms(self, outputs: Outputs, targets: Targets, assignment: Assignment) -> dict[str, Tensor]:
        """`l1`: of centre, width and height in shares of the input; `fgl`: of the sides' distributions."""
        own = cast(DFineOutputs, outputs.own)
        found = centred(outputs.boxes[assignment.image, assignment.place]) / own.size
        wanted = centred(targets.boxes[assignment.image, assignment.target]) / own.size
        distance = ((found - wanted).abs().sum(1) * assignment.weight).sum() / assignment.normalizer
        return {
            "l1": self.gains["l1"] * distance,
            "fgl": self.gains["fgl"] * self._distances(outputs, targets, assignment),
        }

    def _distances(self, outputs: Outputs, targets: Targets, assignment: Assignment) -> Tensor:
        """Fine-grained localisation: cross entropy of each side's refinement, shared between two bins."""
        from transformers.loss.loss_d_fine import bbox2distance

        own = cast(DFineOutputs, outputs.own)
        first, last = own.groups[0][1], own.groups[-1][1]
        refined = (assignment.place >= first) & (assignment.place < last)
        image, place, target = (
            column[refined] for column in (assignment.image, assignment.place, assignment.target)
        )
        boxes, wanted = outputs.boxes[image, place].detach(), targets.boxes[image, target]
        config = cast(Any, self.network.detector).config
        lower, upper_share, lower_share = bbox2distance(
            centred(own.references[image, place - first]),
            wanted,
            config.max_num_bins,
            config.reg_scale,
            torch.tensor([config.up], device=boxes.device),
        )
        logits = own.distances[image, place - first].flatten(0, 1).log_softmax(-1)
        index = lower.long()[:, None]
        at_lower, at_upper = logits.gather(1, index)[:, 0], logits.gather(1, index + 1)[:, 0]
        terms = -(at_lower * lower_share + at_upper * upper_share)
        weight = _overlaps(boxes, wanted) * assignment.weight[refined]
        return (terms.view(-1, 4).sum(1) * weight).sum() / assignment.normalizer

    def mask_logits(self, outputs: Outputs, assignment: Assignment) -> Tensor:
        """Not for this family, which gives boxes."""
        raise TypeError("D-FINE gives boxes; it has no masks")


def _corners(boxes: Tensor) -> Tensor:
    """Boxes (..., 4) centre X, centre Y, width, height as corners."""
    middle, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([middle - half, middle + half], -1)


def _overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """IoU of each pair, (M,)."""
    low = torch.maximum(boxes[:, :2], others[:, :2])
    high = torch.minimum(boxes[:, 2:], others[:, 2:])
    common = (high - low).clamp(min=0).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (others[:, 2:] - others[:, :2]).prod(1)
    return common / (areas - common).clamp(min=1e-9)


def _centres(strides: tuple[int, ...], size: int, device: torch.device) -> Tensor:
    """Where the encoder's places stand, row by row, level by level; (T, 2) XY pixels."""
    levels = []
    for stride in strides:
        steps = (torch.arange(size // stride, device=device) + 0.5) * stride
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        levels.append(torch.stack([x, y], -1).flatten(0, 1))
    return torch.cat(levels)
