"""What tuning one teacher leaves: the adapter and an account of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TunedTeacher:
    """A teacher after its training.

    Attributes:
        name: "grounding_dino" or "sam".
        base, revision: of the model the adapter belongs to, as `models.read_adapter` gives them.
        adapter: the adapter's folder.
        roles: whose layers carry it.
        trainable, total: values of the adapter, and of the model without it.
        before, after: scores on the validation part, by name ("box_ap", "box_ap50"; SAM "mask_iou"), each
            `{"value": float, "low": float, "high": float, "n": int}`; low and high are 95 % bounds.
        steps: optimiser steps taken.
        stopped: "steps", "patience" or "deadline".
        seconds: of training and validation, over all calls.
        seconds_per_epoch: of each pass over the training images, in order.
        predicted_bytes, peak_bytes: of one training step: the dry run's peak, and what was measured.
        history: rows of the training's records.
        resumed: this call went on from a checkpoint.
        reused: nothing was trained: the same training had been finished before.
    """

    name: str
    base: str
    revision: str
    adapter: Path
    roles: tuple[str, ...]
    trainable: int
    total: int
    before: dict[str, dict[str, float]]
    after: dict[str, dict[str, float]]
    steps: int
    stopped: str
    seconds: float
    seconds_per_epoch: list[float]
    predicted_bytes: int
    peak_bytes: int
    history: list[dict[str, Any]] = field(default_factory=list, repr=False)
    resumed: bool = False
    reused: bool = False

    @property
    def helps(self) -> bool:
        """Whether the score that chose the best step, the first of `after`, is higher than before tuning."""
        name = next(iter(self.after))
        return self.after[name]["value"] > self.before[name]["value"]
