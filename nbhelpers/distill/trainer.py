"""Ultralytics' trainers with what they lack: a resume that ends in the same bits, a deadline, a history.

What ultralytics' own resume changes is why it is not used: it keeps only the averaged weights, in half
precision, drops
the random state and the partial gradient accumulation, and so continues another training than the one that
was killed.
Here each epoch draws its random numbers from (seed, epoch), and the state file holds live weights, averaged
weights and
optimiser in float32.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from nbhelpers.distill.checkpoint import load_tensors, save_tensors
from nbhelpers.distill.students import Student, student_record
from nbhelpers.distill.ultralytics_quiet import ultralytics
from nbhelpers.errors import CheckFailed

ultralytics()

from ultralytics.models.yolo.detect import DetectionTrainer  # noqa: E402
from ultralytics.models.yolo.segment import SegmentationTrainer  # noqa: E402

STATE_EVERY_S = 20.0  # a kill costs at most about this much work


@dataclass
class Control:
    """What one training is steered by, and what it reports back."""

    student: Student
    folder: Path
    seed: int
    validate_every: int
    max_seconds: float
    fingerprint: str
    on_epoch: Callable[[dict[str, Any]], None]
    state_every_s: float = STATE_EVERY_S
    history: list[dict[str, Any]] = field(default_factory=list)
    seconds_before: float = 0.0  # spent before a kill
    stopped: str = ""  # at the end "epochs", "patience" or "deadline"
    resumed_from: int = 0

    @property
    def state_file(self) -> Path:
        """Everything needed to go on after a kill."""
        return self.folder / "state.pt"


class _Steered:
    """What our trainers change; mixed in before an ultralytics trainer."""

    control: Control

    def __init__(self, control: Control, overrides: dict[str, Any]) -> None:
        self.control = control
        self._began = self._saved_at = self._epoch_began = time.monotonic()
        self._validated = False
        threads = torch.get_num_threads()
        super().__init__(overrides=overrides)  # type: ignore[call-arg]
        torch.set_num_threads(threads)  # ultralytics leaves one core out; on two cores that is half the speed
        me = cast(Any, self)
        me.add_callback("on_train_epoch_start", _Steered._start_epoch)
        me.add_callback("on_train_batch_end", _Steered._check_deadline)

    # --- the model
    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> torch.nn.Module:
        """The student's own network, its head switched from deployment to training outputs."""
        network = self.control.student.network
        cast(Any, network).model[-1].export = False
        return network

    # --- randomness and time
    def _start_epoch(self) -> None:
        """Make the epoch's random numbers a function of (seed, epoch) alone."""
        me = cast(Any, self)
        seed = int(np.random.SeedSequence([self.control.seed, me.epoch]).generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        me.train_loader.reset()
        me.train_loader.generator.manual_seed(seed)
        self._epoch_began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Training time so far, that before a kill included."""
        return self.control.seconds_before + time.monotonic() - self._began

    def _check_deadline(self) -> None:
        if self.seconds > self.control.max_seconds:
            cast(Any, self).stop = True
            self.control.stopped = "deadline"

    # --- validation
    def validate(self) -> tuple[dict[str, Any], float | None]:
        """Validate every `validate_every` epochs and at the end; in between the fitness is None."""
        me = cast(Any, self)
        final = me.epoch + 1 >= me.epochs
        if not final and self.seconds + (time.monotonic() - self._epoch_began) > self.control.max_seconds:
            me.stop, self.control.stopped = True, "deadline"  # the next epoch would pass it
        last = final or me.stop
        self._validated = last or (me.epoch + 1) % self.control.validate_every == 0
        if not self._validated:
            return me.metrics, None
        return cast("tuple[dict[str, Any], float | None]", super().validate())  # type: ignore[misc]

    # --- what is kept
    def save_metrics(self, metrics: dict[str, Any]) -> None:
        """Add the epoch's row to the history."""
        me = cast(Any, self)
        row = history_row(me.epoch + 1, self.seconds, metrics, self._validated)
        self.control.history.append(row)
        self.control.on_epoch(row)

    def save_model(self) -> bool:
        """Keep the best student, and now and then the whole state."""
        me = cast(Any, self)
        if self._validated and me.fitness is not None and me.best_fitness == me.fitness:
            save_tensors(self.control.folder / "best.pt", self._averaged_student())
        ending = me.stop or me.epoch + 1 >= me.epochs
        if ending:
            if self.control.stopped == "":
                self.control.stopped = "epochs" if me.epoch + 1 >= me.epochs else "patience"
            save_tensors(self.control.folder / "last.pt", self._averaged_student())
        if ending or time.monotonic() - self._saved_at >= self.control.state_every_s:
            save_tensors(self.control.state_file, self._state())
            self._saved_at = time.monotonic()
        return True

    def _averaged_student(self) -> dict[str, Any]:
        """The student file's content, with the averaged weights (EMA) that ultralytics validates."""
        weights = cast(Any, self).ema.ema.state_dict()
        record = student_record(self.control.student)
        return {**record, "weights": {key: weights[key].detach().float().cpu() for key in record["weights"]}}

    def _state(self) -> dict[str, Any]:
        me = cast(Any, self)
        return {
            "fingerprint": self.control.fingerprint,
            "epoch": me.epoch,
            "model": me.model.state_dict(),
            "ema": me.ema.ema.state_dict(),
            "ema_updates": me.ema.updates,
            "optimizer": me.optimizer.state_dict(),
            "scaler": me.scaler.state_dict(),
            "best_fitness": None if me.best_fitness is None else float(me.best_fitness),
            "stopper": [float(me.stopper.best_fitness), int(me.stopper.best_epoch)],
            "history": self.control.history,
            "seconds": self.seconds,
            "stopped": self.control.stopped,
            "threads": torch.get_num_threads(),
        }

    def resume_training(self, ckpt: Any) -> None:
        """Continue from our state file when it belongs to this training."""
        me, control = cast(Any, self), self.control
        state = saved_state(control.state_file, control.fingerprint)
        if state is None:
            return
        torch.set_num_threads(state["threads"])  # the order of sums, and so the last bits, follow from it
        me.model.load_state_dict(state["model"])
        me.ema.ema.load_state_dict(state["ema"])
        me.ema.updates = state["ema_updates"]
        me.optimizer.load_state_dict(state["optimizer"])
        me.scaler.load_state_dict(state["scaler"])
        me.best_fitness = state["best_fitness"]
        me.stopper.best_fitness, me.stopper.best_epoch = state["stopper"]
        me.start_epoch = control.resumed_from = state["epoch"] + 1
        control.history[:] = state["history"]
        control.seconds_before = state["seconds"]

    # --- what ultralytics would do and we do elsewhere
    def final_eval(self) -> None:
        """Nothing: the best student is scored by `evaluate_student` with COCO's own numbers."""

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """Stop with a sentence instead of replaying the same numbers."""
        loss = cast(Any, self).loss
        if loss is not None and not bool(torch.isfinite(loss).all()):
            raise CheckFailed(
                f"the training loss became NaN in epoch {epoch + 1}; lower distill.learning_rate"
            )
        return False


class DetectTrainer(_Steered, DetectionTrainer):
    """Trainer of box students."""


class SegmentTrainer(_Steered, SegmentationTrainer):
    """Trainer of mask students."""


def saved_state(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """The state left by a training with the same inputs and settings, or None."""
    if not path.exists():
        return None
    state = load_tensors(path)
    return state if state.get("fingerprint") == fingerprint else None


_AP = {"(B)": "box", "(M)": "mask"}


def history_row(epoch: int, seconds: float, metrics: dict[str, Any], validated: bool) -> dict[str, Any]:
    """One epoch: `train_*` and `val_*` losses, `box_ap50`, `box_ap`, `mask_ap50`, `mask_ap`, `lr`, `seconds`.

    What was not measured in this epoch (validation does not run in each) is None. The AP values are
    ultralytics' own
    estimate during training; `evaluate_student` gives COCO's.
    """
    row: dict[str, Any] = {"epoch": epoch, "seconds": round(seconds, 2)}
    for key, value in metrics.items():
        part, _, name = key.partition("/")
        if part == "train":
            row[f"train_{name}"] = float(value)
        elif part == "val":
            row[f"val_{name}"] = float(value) if validated else None
        elif name.startswith("mAP50"):
            kind, number = _AP[name[-3:]], "ap" if "-95" in name else "ap50"
            row[f"{kind}_{number}"] = float(value) if validated else None
        elif key == "lr/pg0":
            row["lr"] = float(value)
    return row
