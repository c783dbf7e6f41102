"""One training of a student under `training.fit`: what goes in, and what is taken from it."""

import math
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import read_json, write_json
from nbhelpers.distill.auto import Plan
from nbhelpers.distill.batches import student_batches
from nbhelpers.distill.checkpoint import save_tensors
from nbhelpers.distill.history import epoch_rows
from nbhelpers.distill.objective import Objective
from nbhelpers.distill.optimizer import make_optimizer
from nbhelpers.distill.students import Student, student_record
from nbhelpers.distill.trained import TrainedStudent
from nbhelpers.distill.validation import Validation
from nbhelpers.training import FitResult, FitSettings, fit
from nbhelpers.training.checkpoints import CHECKPOINT, give_state, load_whole

if TYPE_CHECKING:
    from torch import nn

    from nbhelpers.data import CocoSet
    from nbhelpers.distill.batches.augmented import Augment
    from nbhelpers.settings.sections import DistillSection

_NOTE = "training-mark.json"
_FINAL_FACTOR = 0.01  # of the peak learning rate, at the last step
_LONGEST_AVERAGE = 10_000  # steps
_ENDS = {"steps": "epochs", "patience": "patience", "deadline": "deadline"}


@dataclass
class Session:
    """A training that is about to run; see `train_student` for what the fields are."""

    student: Student
    train: "CocoSet"
    val: "CocoSet"
    settings: "DistillSection"
    plan: Plan
    folder: Path
    mark: str
    augment: "Augment | None"
    teacher: Any
    state_every_s: float

    @property
    def fit_folder(self) -> Path:
        """Where `fit` keeps its files."""
        return self.folder / "fit"

    def run(self) -> TrainedStudent:
        """Train, and leave `best.pt` and `last.pt`; `labels` and `plan` of the answer are left empty."""
        self._begin()
        model, validation = self._objective(), Validation(self.student, self.val)
        recipe, settings = self.student.family.recipe, self._fit_settings(validation.monitor)
        result = fit(
            model,
            self._batches(),
            lambda network, batch: network(batch),
            settings,
            self.fit_folder,
            optimizer=lambda network: make_optimizer(network, settings.learning_rate, recipe.weight_decay),
            validate=validation,
            data=self.mark,
        )
        return self._taken(model, validation, result)

    def tidy(self) -> None:
        """Remove what only a resume needs; records and TensorBoard's files stay."""
        for path in (self.fit_folder / CHECKPOINT, *self.fit_folder.glob("best-*.pt")):
            path.unlink(missing_ok=True)

    def _begin(self) -> None:
        """Forget a training of other inputs or settings that was left half done in this folder."""
        note = self.fit_folder / _NOTE
        if note.exists() and read_json(note) == {"fingerprint": self.mark}:
            return
        shutil.rmtree(self.fit_folder, ignore_errors=True)
        write_json(note, {"fingerprint": self.mark})

    def _objective(self) -> Objective:
        losses, teacher = self.settings.losses, self.teacher
        channels = {} if teacher is None else teacher.channels
        return Objective(self.student, losses, channels, self.settings.seed)

    def _batches(self) -> Callable[[int], Any]:
        on_gpu = next(self.student.parameters()).is_cuda
        return student_batches(
            self.train,
            self.plan.image_size,
            self.plan.batch,
            self.settings.seed,
            self.plan.epochs,
            masks=self.student.task == "segment",
            class_agnostic=self.student.family.class_agnostic,
            close_mosaic=self.settings.close_mosaic,
            people_share=self.settings.people_share,
            augment=self.augment,
            teacher=self.teacher if self.settings.losses.feature else None,
            workers=os.cpu_count() or 1 if on_gpu else 0,
        )

    def _fit_settings(self, monitor: str) -> FitSettings:
        settings, plan, recipe = self.settings, self.plan, self.student.family.recipe
        images, on_gpu = len(self.train.images), next(self.student.parameters()).is_cuda
        steps = math.ceil(plan.epochs * images / plan.batch)
        every = max(1, round(plan.validate_every * images / plan.batch))
        horizon = min(max(2, round(recipe.average * steps)), _LONGEST_AVERAGE)
        patience = math.ceil(settings.patience / plan.validate_every) if settings.patience else None
        return FitSettings(
            steps=steps,
            learning_rate=plan.learning_rate * recipe.rate_factor,
            warmup_steps=round(settings.warmup * steps),
            final_factor=_FINAL_FACTOR,
            clip=recipe.clip,
            precision="bf16" if on_gpu and _computes_bf16() else "no",
            checkpoint_every_s=self.state_every_s,
            validate_every=every,
            monitor=monitor,
            keep_best=False,  # the weights of the end are written first, then those of the best
            patience=patience,
            max_seconds=settings.max_minutes * 60,
            seed=settings.seed,
            tensorboard=settings.tensorboard,
            average=1 - 1 / horizon,
            average_warmup=horizon,
            prefetch=2 if on_gpu else 0,
        )

    def _taken(self, model: "nn.Module", validation: Validation, result: FitResult) -> TrainedStudent:
        """Write the student files, and sum the training up."""
        records, best = list(result.history), result.best
        save_tensors(self.folder / "last.pt", student_record(self.student))
        if not any("scores" in row and row["step"] == result.steps for row in records):  # cut short
            self.student.eval()
            records.append({"step": max(1, result.steps), "scores": validation(model)})
            if best is None or records[-1]["scores"][validation.monitor] >= best:
                best = None
        if best is not None:
            give_state(model, load_whole(self.fit_folder / f"best-{result.best_step}.pt")["model"])
        save_tensors(self.folder / "best.pt", student_record(self.student))
        plan, images = self.plan, len(self.train.images)
        rows = epoch_rows(records, images, plan.batch, plan.epochs, validation.names)
        return TrainedStudent(
            best=self.folder / "best.pt",
            last=self.folder / "last.pt",
            student=self.student.name,
            size=self.student.size,
            task=self.student.task,
            class_names=self.student.class_names,
            image_size=self.student.image_size,
            epochs=rows[-1]["epoch"],
            seconds=result.seconds,
            history=rows,
            licence=self.student.licence,
            resumed=result.resumed_from > 0,
            reused=False,
            stopped=_ENDS[result.stopped],
        )


def _computes_bf16() -> bool:
    """Whether the GPU has units for it (Ampere and later); elsewhere float32 is faster than pretending."""
    import torch

    return torch.cuda.get_device_capability() >= (8, 0)
