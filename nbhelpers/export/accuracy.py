"""Accuracy of an engine on a COCO set, and how far its raw outputs are from those of torch."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.export.engines import Engine


@dataclass(frozen=True)
class Accuracy:
    """COCO AP and AP50 (0..1) of boxes, and of masks where the task has them; `images` is the sample."""

    box_ap: float
    box_ap50: float
    mask_ap: float | None
    mask_ap50: float | None
    images: int
    annotations: int

    @property
    def ap(self) -> float:
        """What engines are ranked by: mask AP where there are masks, else box AP."""
        return self.box_ap if self.mask_ap is None else self.mask_ap


def evaluate_engine(engine: "Engine", coco: "CocoSet") -> Accuracy:
    """Box and mask AP of an engine on a labelled set, through its own `predict`.

    Args:
        engine: any engine; its class indices are those of `coco.class_names`.
        coco: images with labels that were not used for training or calibration.

    Raises:
        BadInput: the engine finds a class that the set does not have.
    """
    from nbhelpers.distill import run_on_set

    scores = run_on_set(engine, coco).scores()
    boxes, masks = scores["bbox"], scores.get("segm")
    return Accuracy(
        box_ap=boxes.ap,
        box_ap50=boxes.ap50,
        mask_ap=None if masks is None else masks.ap,
        mask_ap50=None if masks is None else masks.ap50,
        images=boxes.n_images,
        annotations=boxes.n_annotations,
    )


def output_differences(
    engine: "Engine", reference: "Engine", images: Iterable[np.ndarray]
) -> dict[str, float]:
    """Largest absolute difference between the raw outputs of two engines, by what the numbers mean.

    Args:
        engine: the engine in question.
        reference: usually torch.
        images: (H, W, 3) uint8 RGB; each goes through the shared letterbox.

    Returns:
        `boxes_px` over the anchors the reference gives a score of at least 0.05 (boxes of anchors that see
        nothing are arbitrary), `scores`, and for segmentation `mask_coefficients` (the same anchors) and
        `prototypes`.
    """
    from nbhelpers.distill import letterbox

    worst: dict[str, float] = {}
    for image in images:
        batch = letterbox(image, reference.image_size)[0][None]
        ours, theirs = engine.run(batch), reference.run(batch)
        for name, value in _by_meaning(ours, theirs, len(reference.class_names)).items():
            worst[name] = max(worst.get(name, 0.0), value)
    return worst


def _by_meaning(ours: list[np.ndarray], theirs: list[np.ndarray], classes: int) -> dict[str, float]:
    difference = np.abs(ours[0] - theirs[0])  # (1, 4 + classes + coefficients, anchors)
    scores = slice(4, 4 + classes)
    seen = theirs[0][0, scores].max(axis=0) >= 0.05
    found = {"boxes_px": _largest(difference[0, :4, seen]), "scores": _largest(difference[0, scores])}
    if len(ours) > 1:
        found["mask_coefficients"] = _largest(difference[0, 4 + classes :, seen])
        found["prototypes"] = _largest(np.abs(ours[1] - theirs[1]))
    return found


def _largest(values: np.ndarray) -> float:
    return float(values.max()) if values.size else 0.0
