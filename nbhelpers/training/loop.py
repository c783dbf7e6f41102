"""The one training loop."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from filelock import FileLock, Timeout

from nbhelpers.artifacts import sha256_value
from nbhelpers.errors import BadInput
from nbhelpers.runtime import seed_everything
from nbhelpers.training.checkpoints import CHECKPOINT, remove_leftovers
from nbhelpers.training.engine import Engine, own_accelerate
from nbhelpers.training.generators import generators_kept
from nbhelpers.training.journal import RECORDS, TENSORBOARD
from nbhelpers.training.modes import modes_kept
from nbhelpers.training.prefetch import Prefetch
from nbhelpers.training.run import Run, Task, Validate
from nbhelpers.training.schedules import make_scheduler
from nbhelpers.training.settings import FitSettings
from nbhelpers.training.source import Batches, batch_source
from nbhelpers.training.step import Loss

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


@dataclass(frozen=True)
class FitResult:
    """What a training did, all calls on its folder taken together.

    Attributes:
        steps: optimiser steps taken.
        stopped: "steps" (all done), "patience" (no better score) or "deadline" (a further call goes on).
        best, best_step: the best monitored score and the step it was reached after; None without validation.
        seconds: of training, validation and checkpoints.
        history: the rows of `records.jsonl`, see `journal.Journal`.
        steps_per_s: without validation and checkpoints.
        overflows: steps left out because fp16 gradients were not finite.
        resumed_from: the step this call began at.
    """

    steps: int
    stopped: str
    best: float | None
    seconds: float
    history: list[dict[str, Any]] = field(default_factory=list, repr=False)
    steps_per_s: float = 0.0
    best_step: int | None = None
    overflows: int = 0
    resumed_from: int = 0

    def series(self, name: str = "loss") -> tuple[list[int], list[float]]:
        """Steps and values of one number of the history, such as "loss" or the name of a score."""
        rows = [(row["step"], row.get("scores", row).get(name)) for row in self.history]
        found = [(step, value) for step, value in rows if value is not None]
        return [step for step, _ in found], [value for _, value in found]


def fit(
    model: "nn.Module",
    batches: Batches,
    loss: Loss,
    settings: FitSettings,
    folder: Path,
    *,
    optimizer: "Optimizer | Callable[[nn.Module], Optimizer] | None" = None,
    validate: Validate | None = None,
    end_at: float | None = None,
    data: Any = None,
    resume: bool = True,
) -> FitResult:
    """Train `model` in place: accelerate underneath, checkpoints in `folder`, stops at a deadline.

    Called again on the same folder it goes on from the last checkpoint, and after a kill ends in the same
    bits as if nothing had happened (same machine, libraries, threads); a training that is done is taken as it
    is. The global random generators are seeded with `settings.seed` and given back as they were.

    Args:
        model: trained where it is (device, dtype). Parameters that require gradients change, no others.
        batches: a function from the batch's number to the batch, a pure one, so that a resume needs nothing
            but the number; or a list of batches; or a loader (a resume draws and drops what came before).
            With `accumulate=a` step k, from 0, takes batches a*k to a*k + a - 1; with p processes they are
            dealt out, p*a to a step. Tensors in them are moved to the model's device.
        loss: from (model, batch) to a scalar tensor, or to a mapping with "loss", optionally "weight" (what
            the loss is a mean over, such as the number of answer tokens, so that unequal micro-batches add up
            to one large batch), and parts to be logged. Runs under autocast. Under `accelerate launch` the
            model is the parallel wrapper: call it, do not look into it.
        settings: see `FitSettings`.
        folder: of this training alone; made if missing. Holds `checkpoint.pt`, `best-<step>.pt`,
            `records.jsonl`, `tensorboard/`. With `settings.average` the best weights are averaged ones, and
            the checkpoint holds both.
        optimizer: over parameters of the model, or a function from the model to one; AdamW over everything
            that trains otherwise.
        validate: from the model, in eval mode and without gradients, to a score, or to scores by name.
        end_at: an absolute deadline, seconds since 1970; the nearer of it and `settings.max_seconds` counts.
        data: what tells this training's data from others (plain values); another value on resume is an error.
        resume: False forgets the training in `folder`.

    Raises:
        BadInput: nothing in the model trains; the folder holds another training, or is in use.
        CheckFailed: the loss or its gradient is not finite, named with step and batch; files are as before.
    """
    folder = Path(folder)
    source = batch_source(batches, settings.seed, settings.shuffle)
    if settings.prefetch and source is not batches:
        raise BadInput("fit: prefetch needs batches as a function of the number; set prefetch=0 or give one")
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise BadInput("fit: no parameter of the model requires gradients, so there is nothing to train")
    task = Task(model, source, loss, settings, folder, validate, sha256_value(data))
    with own_accelerate(), generators_kept(), modes_kept(model):
        engine = Engine(model, settings.precision)
        with _sole_user(folder, engine.main):
            _tidy(folder, resume, engine)
            seed_everything(settings.seed)
            _attach(engine, model, optimizer, settings)
            with _ahead(task, engine):
                return _train(Run(task, engine, end_at))


def _train(run: Run) -> FitResult:
    resumed_from = run.state.step
    try:
        run.go()
    finally:
        if run.journal is not None:
            run.journal.close()
    run.leave()
    state = run.state
    return FitResult(
        steps=state.step,
        stopped=state.stopped,
        best=state.best,
        seconds=state.seconds,
        history=run.journal.rows if run.journal is not None else [],
        steps_per_s=state.step / state.stepping_s if state.stepping_s else 0.0,
        best_step=state.best_step,
        overflows=state.overflows,
        resumed_from=resumed_from,
    )


@contextlib.contextmanager
def _ahead(task: Task, engine: Engine) -> Iterator[None]:
    """Have the task's batches made ahead inside, where its settings say so."""
    settings = task.settings
    if not settings.prefetch:
        yield
        return
    end = settings.steps * settings.accumulate * engine.processes
    with Prefetch(task.source, settings.prefetch, end, engine.processes) as task.source:
        yield


def _attach(engine: Engine, model: "nn.Module", optimizer: Any, settings: FitSettings) -> None:
    if optimizer is None:
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        made: Optimizer = torch.optim.AdamW(
            trained, lr=settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay
        )
    else:
        made = optimizer if isinstance(optimizer, torch.optim.Optimizer) else optimizer(model)
    engine.attach(made, make_scheduler(made, settings))


@contextlib.contextmanager
def _sole_user(folder: Path, main: bool) -> Iterator[None]:
    """Keep a second training out of the folder; the operating system lifts the lock of a killed process."""
    if not main:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BadInput(f"{folder}: another process trains here; wait for it or give another folder") from None
    try:
        yield
    finally:
        lock.release()


def _tidy(folder: Path, resume: bool, engine: Engine) -> None:
    if engine.main:
        remove_leftovers(folder)
        if not resume:
            for path in [folder / CHECKPOINT, folder / RECORDS, *folder.glob("best-*.pt")]:
                path.unlink(missing_ok=True)
            shutil.rmtree(folder / TENSORBOARD, ignore_errors=True)
    engine.agree(None)  # the other processes wait here, before they look for a checkpoint
