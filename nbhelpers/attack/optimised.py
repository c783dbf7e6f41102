"""What an optimisation left: the patch, how it grew, and what it took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Optimised:
    """What an optimisation left.

    Attributes:
        png: the patch with the best validation success.
        target: the answer it provokes; None: anything but the right one.
        steps, stopped, seconds: see `training.FitResult`.
        best: the best success on validation, with its interval by the number of questions.
        best_step: after which step.
        growth: snapshots by step.
        history: one row per step and per validation.
        settings_hash: of everything that decided the bits.
        weights_before, weights_after: hashes of the victim; equal.
        predicted_bytes, peak_bytes: of a step by dry run; measured while optimising.
        resumed_from: the step this call began at.
    """

    png: Path
    target: str | None
    steps: int
    stopped: str
    seconds: float
    best: float | None
    best_step: int | None
    growth: Mapping[int, Path]
    history: Sequence[dict[str, Any]] = field(repr=False)
    settings_hash: str = ""
    weights_before: str = ""
    weights_after: str = ""
    predicted_bytes: int = 0
    peak_bytes: int = 0
    resumed_from: int = 0

    def summary(self) -> str:
        """One line for people."""
        return (
            f"{self.steps} steps in {self.seconds:.0f} s, ended by {self.stopped}; best validation success "
            f"{self.best or 0:.2f} after step {self.best_step}"
        )

    def validations(self) -> tuple[list[int], list[float]]:
        """Steps and success on validation."""
        rows = [(row["step"], row["scores"]["success"]) for row in self.history if "scores" in row]
        return [step for step, _ in rows], [value for _, value in rows]
