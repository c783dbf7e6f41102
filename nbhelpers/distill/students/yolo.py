"""YOLOv8 in training: predictions, assignment and its own losses, on the raw ultralytics model.

Code of record: `v8DetectionLoss` and `v8SegmentationLoss` in ultralytics/utils/loss.py; box distances as
distributions are Li et al. 2020 (arXiv:2006.04388), the assignment Feng et al. 2021 (TOOD, arXiv:2108.07755),
masks from prototypes Bolya et al. 2019 (YOLACT, arXiv:1904.02689).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from nbhelpers.distill.outputs import Assignment, Outputs, Targets
from nbhelpers.distill.ultralytics_quiet import ultralytics

# Of the assignment, as ultralytics trains YOLOv8: candidates per object, exponents of score and overlap.
_TOPK, _ALPHA, _BETA = 10, 0.5, 6.0


@dataclass(frozen=True)
class YoloOutputs:
    """What the losses of YOLO alone read.

    Attributes:
        distances: (B, A, 4, R) float32 logits: distance of each side from the anchor, in strides 0..R-1.
        anchors: (A, 2) float32, XY in strides; `strides`: (A, 1), input pixels.
        coefficients: (B, A, K), and `prototypes` (B, K, S / 4, S / 4), float32; None without masks.
    """

    distances: Tensor
    anchors: Tensor
    strides: Tensor
    coefficients: Tensor | None
    prototypes: Tensor | None


class TrainableYolo(nn.Module):
    """A YOLOv8 detection or segmentation network as the training loop sees it; see `TrainableNetwork`."""

    def __init__(self, network: nn.Module, gains: Mapping[str, float]) -> None:
        super().__init__()
        ultralytics()
        from ultralytics.utils.tal import TaskAlignedAssigner

        self.network = network
        self.gains = dict(gains)
        head = cast(Any, network).model[-1]
        self._steps = head.reg_max
        self.feature_channels = tuple(int(branch[0].conv.in_channels) for branch in head.cv2)
        self._assigner = TaskAlignedAssigner(
            _TOPK, head.nc, _ALPHA, _BETA, [int(stride) for stride in head.stride]
        )

    def train_outputs(self, pixels: Tensor) -> Outputs:
        """See `TrainableNetwork`; the network must be in training mode."""
        raw = self.network(pixels)
        if not isinstance(raw, dict):
            raise RuntimeError("train_outputs: the network is in eval mode; call train() first")
        # In bfloat16, distances of up to 15 strides would be rounded to a sixteenth of one.
        with torch.autocast(pixels.device.type, enabled=False):
            own = self._own(raw)
            return Outputs(
                class_logits=raw["scores"].permute(0, 2, 1).float(),
                boxes=_boxes(own),
                features=tuple(raw["feats"]),
                own=own,
            )

    def _own(self, raw: dict[str, Any]) -> YoloOutputs:
        from ultralytics.utils.tal import make_anchors

        # The head's strides are no buffer: they follow the network to a device, a copy of them would not.
        anchors, strides = make_anchors(raw["feats"], cast(Any, self.network).model[-1].stride, 0.5)
        distances = raw["boxes"].permute(0, 2, 1).float().unflatten(2, (4, self._steps))
        return YoloOutputs(distances, anchors.float(), strides.float(), *_masks_of(raw))

    @torch.no_grad()
    def assign(self, outputs: Outputs, targets: Targets) -> Assignment:
        """Task-aligned: an object takes the anchors in it whose score and overlap agree best."""
        own = outputs.own
        _, _, scores, found, chosen = self._assigner(
            outputs.class_logits.sigmoid(),
            outputs.boxes,
            own.anchors * own.strides,
            targets.classes[..., None],
            targets.boxes,
            targets.real[..., None].float(),
        )
        found, chosen = found.bool(), chosen.long()
        image, place = found.nonzero(as_tuple=True)
        target = chosen[image, place]
        class_targets = scores.to(outputs.class_logits.dtype)
        # A doubtful label counts for less; what it teaches is not that a thing is only half there.
        counts = targets.weights[image, target]
        class_weights = torch.ones_like(class_targets[..., :1])
        class_weights[image, place, 0] = counts
        weight = class_targets[image, place].sum(-1) * counts
        normalizer = weight.sum().clamp(min=1)
        return Assignment(image, place, target, weight, class_targets, class_weights, normalizer)

    def box_terms(self, outputs: Outputs, targets: Targets, assignment: Assignment) -> dict[str, Tensor]:
        """`dfl`: cross entropy of each side's distance, shared between the two nearest steps."""
        own, image, place = outputs.own, assignment.image, assignment.place
        box = targets.boxes[image, assignment.target] / own.strides[place]
        anchor = own.anchors[place]
        sides = torch.cat([anchor - box[:, :2], box[:, 2:] - anchor], 1).clamp(0, self._steps - 1 - 0.01)
        lower = sides.long()
        share = lower + 1 - sides  # of the lower step
        logits = own.distances[image, place].log_softmax(-1)  # (M, 4, R)
        at_lower = logits.gather(2, lower[..., None])[..., 0]
        at_upper = logits.gather(2, lower[..., None] + 1)[..., 0]
        terms = -(at_lower * share + at_upper * (1 - share)).mean(1)
        return {"dfl": self.gains["dfl"] * (terms * assignment.weight).sum() / assignment.normalizer}

    def mask_logits(self, outputs: Outputs, assignment: Assignment) -> Tensor:
        """Prototypes weighted by the coefficients of the assigned anchors; (M, S / 4, S / 4)."""
        own = outputs.own
        coefficients = own.coefficients[assignment.image, assignment.place]
        # Pairs come image by image: one product per image, instead of the prototypes once per pair.
        counts = torch.bincount(assignment.image, minlength=len(own.prototypes)).tolist()
        pairs = zip(coefficients.split(counts), own.prototypes, strict=True)
        with torch.autocast(coefficients.device.type, enabled=False):
            logits = torch.cat([some @ prototypes.flatten(1) for some, prototypes in pairs])
        return logits.unflatten(1, own.prototypes.shape[2:])


def _masks_of(raw: dict[str, Tensor]) -> tuple[Tensor | None, Tensor | None]:
    if "proto" not in raw:
        return None, None
    return raw["mask_coefficient"].permute(0, 2, 1).float(), raw["proto"].float()


def _boxes(own: YoloOutputs) -> Tensor:
    """Expected distances to boxes, (B, A, 4) XYXY in input pixels."""
    steps = torch.arange(own.distances.shape[-1], dtype=torch.float32, device=own.distances.device)
    before, after = (own.distances.softmax(-1) @ steps).chunk(2, -1)
    return torch.cat([own.anchors - before, own.anchors + after], -1) * own.strides
