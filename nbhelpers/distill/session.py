"""One run of an ultralytics trainer under our control: its arguments, its log file, its progress."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.distill.auto import Plan
from nbhelpers.distill.students import Student
from nbhelpers.distill.ultralytics_quiet import chatter_to

if TYPE_CHECKING:
    from nbhelpers.distill.trainer import Control
    from nbhelpers.settings.sections import DistillSection


def run_training(
    student: Student,
    data: Path,
    settings: "DistillSection",
    folder: Path,
    device: str,
    plan: Plan,
    mark: str,
    state_every_s: float,
) -> "Control":
    """Train `student` on the YOLO folder described by `data`; leaves its files in `folder`.

    Returns:
        The control with the history, the seconds over all calls (`seconds_before`) and why it stopped.
    """
    from nbhelpers.distill.trainer import Control, DetectTrainer, SegmentTrainer, saved_state
    from nbhelpers.runtime import progress

    state = saved_state(folder / "state.pt", mark)
    max_seconds = settings.max_minutes * 60
    done = 0 if state is None else state["epoch"] + 1
    ended = state is not None and (
        state["stopped"] in ("epochs", "patience") or state["seconds"] >= max_seconds
    )
    with progress(total=plan.epochs, label=f"training {student.name}-{student.size}", unit="epoch") as bar:
        if done:
            bar.update(done)

        def on_epoch(row: dict[str, Any]) -> None:
            bar.update(1)
            if (ap50 := row.get("mask_ap50", row.get("box_ap50"))) is not None:
                bar.note(f"AP50 {ap50:.3f}")

        control = Control(
            student,
            folder,
            settings.seed,
            plan.validate_every,
            max_seconds,
            mark,
            on_epoch,
            state_every_s,
        )
        if state is not None and ended:  # killed between the last epoch and the record of the training
            control.history, control.stopped = state["history"], state["stopped"] or "deadline"
            control.seconds_before, control.resumed_from = state["seconds"], done
        else:
            kind = SegmentTrainer if student.task == "segment" else DetectTrainer
            with chatter_to(folder / "ultralytics.log"), _deployable(student), _threads_kept():
                trainer = kind(control, overrides(student, data, settings, folder, device, plan))
                trainer.train()
                control.seconds_before = trainer.seconds
    return control


@contextlib.contextmanager
def _threads_kept() -> Iterator[None]:
    """Give the process its number of threads back: a resumed training sets the one it began with."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def _deployable(student: Student) -> Iterator[None]:
    """Give the head its deployment outputs back after the trainer used it."""
    try:
        yield
    finally:
        student.network.model[-1].export = True  # type: ignore[union-attr, index]
        student.eval()


def overrides(
    student: Student, data: Path, settings: "DistillSection", folder: Path, device: str, plan: Plan
) -> dict[str, Any]:
    """Ultralytics' arguments; what is not named keeps its default there."""
    return {
        "task": student.task,
        "model": "nbhelpers-student.yaml",  # a name only: `get_model` hands over the network
        "data": str(data),
        "project": str(folder.resolve()),
        "name": "ultralytics",
        "exist_ok": True,
        "device": device.removeprefix("cuda:"),
        "amp": mixed_precision(device),
        "imgsz": plan.image_size,
        "epochs": plan.epochs,
        "batch": plan.batch,
        # One optimiser step per batch: few images give few steps, and no gradient is half-gathered at a kill.
        "nbs": plan.batch,
        "optimizer": "AdamW",
        "lr0": plan.learning_rate,
        "lrf": 0.01,
        "cos_lr": True,
        "momentum": 0.9,
        "weight_decay": 0.0005,
        "warmup_epochs": settings.warmup * plan.epochs,
        "warmup_bias_lr": 0.0,
        "close_mosaic": round(settings.close_mosaic * plan.epochs),
        "patience": settings.patience,
        "seed": settings.seed,
        "deterministic": True,
        "workers": 0 if device == "cpu" else 4,
        "cache": "ram",  # ultralytics itself leaves it when twice the images do not fit
        "augmentations": [],  # an installed albumentations would add draws of its own
        "plots": False,
        "verbose": False,
        "pretrained": False,
    }


def mixed_precision(device: str) -> str | bool:
    """Bfloat16 where the GPU computes it, else float32: ultralytics' test of float16 downloads a model."""
    if not device.startswith("cuda"):
        return False
    import torch

    return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else False
