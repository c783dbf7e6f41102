"""A training under way: steps, validations, checkpoints, and when to stop."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nbhelpers.training.average import Average, averaged
from nbhelpers.training.checkpoints import (
    CHECKPOINT,
    FORMAT,
    frozen_mark,
    give_state,
    load_whole,
    save_whole,
    trained_state,
)
from nbhelpers.training.deadline import Deadline
from nbhelpers.training.engine import Engine
from nbhelpers.training.generators import generators_kept, take_generators
from nbhelpers.training.journal import Journal
from nbhelpers.training.modes import train_mode
from nbhelpers.training.record import give_record, make_record
from nbhelpers.training.resume import refuse_other_settings, refuse_others
from nbhelpers.training.settings import FitSettings
from nbhelpers.training.state import State, count_overflow, judge, monitored
from nbhelpers.training.step import Loss, Outcome, take_step

log = logging.getLogger(__name__)

Validate = Callable[[Any], Mapping[str, float] | float]
# A slow disk must not eat the time: at most about a tenth of it is spent writing checkpoints.
WRITE_SHARE = 0.1
_OTHER_THREADS = "%s: began with %d threads, goes on with %d: the last bits may differ"


@dataclass
class Task:
    """What is asked for: the arguments of `fit`."""

    model: nn.Module
    source: Callable[[int], Any]
    loss: Loss
    settings: FitSettings
    folder: Path
    validate: Validate | None
    data: str


class Run:
    """One call of `fit`; `state` says how far it has come."""

    def __init__(self, task: Task, engine: Engine, end_at: float | None) -> None:
        self.task, self.engine, self.state = task, engine, State()
        self._path = task.folder / CHECKPOINT
        self._base = {"data": task.data, "frozen weights": frozen_mark(task.model)}
        self._base["number of processes"] = str(engine.processes)
        self.average = _make_average(task)
        self._resume()
        self._deadline = Deadline(task.settings.max_seconds, end_at, self.state.seconds)
        self.journal = (
            Journal(task.folder, task.settings, self.state.step, self.state.records_bytes)
            if engine.main
            else None
        )
        self._step_s = self.state.stepping_s / max(1, self.state.step)
        self._validation_s = self._write_s = 0.0
        self._written_at = time.monotonic()

    # --- the course of it
    def go(self) -> None:
        """Take the steps that are left, until the end, the deadline or the end of patience."""
        if self._is_done():
            return
        self.state.stopped = ""
        train_mode(self.engine.model)
        while not self.state.stopped:
            if self._too_late():
                self.state.stopped = "deadline"
                self.write()
            else:
                self._step()
                self._after_step()

    def _is_done(self) -> bool:
        """Whether an earlier call ended it; more steps than it had go on."""
        if self.state.stopped == "steps":
            return self.state.step >= self.task.settings.steps
        return self.state.stopped == "patience"

    def _step(self) -> None:
        began, settings = time.monotonic(), self.task.settings
        outcome = take_step(
            self.engine, self.task.loss, self.task.source, self.state.step, settings.accumulate, settings.clip
        )
        count_overflow(self.state, outcome.overflowed)
        if self.average is not None and not outcome.overflowed:
            self.average.update(self.task.model)
        self.state.step += 1
        self._step_s = time.monotonic() - began
        self.state.stepping_s += self._step_s
        if self.journal is not None:
            self._note(self.journal, outcome)

    def _note(self, journal: Journal, outcome: Outcome) -> None:
        step, every = self.state.step, self.task.settings.log_every
        if step % every == 0 or step == self.task.settings.steps:
            row = {**outcome.parts, "step": step, "loss": outcome.loss, "lr": outcome.learning_rate}
            norm = None if outcome.overflowed else outcome.grad_norm
            journal.step({**row, "grad_norm": norm, "seconds": round(self._step_s, 6)})
        journal.advance(outcome.loss, outcome.learning_rate)

    def _after_step(self) -> None:
        settings, validated = self.task.settings, False
        if self.task.validate is not None and self._validation_due(self.state.step):
            with averaged(self.average, self.task.model):
                self._validate(self.task.validate)
            validated = True
        if self.state.step >= settings.steps:
            self.state.stopped = "steps"
        elif settings.patience is not None and self.state.stale >= settings.patience:
            self.state.stopped = "patience"
        if validated or self.state.stopped or self.engine.agree(self._write_due()):
            self.write()

    # --- validation
    def _validation_due(self, step: int) -> bool:
        every = self.task.settings.validate_every
        return step >= self.task.settings.steps or bool(every and step % every == 0)

    def _validate(self, validate: Validate) -> None:
        """Score the model; what the validation draws or which modes it sets does not change the training."""
        began = time.monotonic()
        self.task.model.eval()
        with generators_kept(), torch.no_grad(), self.engine.autocast():
            given = validate(self.task.model)
        train_mode(self.engine.model)
        settings = self.task.settings
        named = given if isinstance(given, Mapping) else {settings.monitor: given}
        scores = self.engine.agree({name: float(value) for name, value in named.items()})
        better = judge(self.state, monitored(scores, settings.monitor), settings.monitor_mode)
        if self.journal is not None:
            self.journal.scores(self.state.step, scores)
            if better:
                self._keep_best()
        self._validation_s = time.monotonic() - began

    def best_file(self, step: int) -> Path:
        """Where the weights of the best validation lie."""
        return self.task.folder / f"best-{step}.pt"

    def _keep_best(self) -> None:
        record = {"format": FORMAT, "step": self.state.step, "score": self.state.best}
        save_whole(self.best_file(self.state.step), {**record, "model": trained_state(self.task.model)})

    # --- time
    def _too_late(self) -> bool:
        """Whether the next step, with what it brings along, would probably end after the deadline."""
        due = self.task.validate is not None and self._validation_due(self.state.step + 1)
        ahead = self._step_s + self._write_s + (self._validation_s if due else 0.0)
        return bool(self.engine.agree(self._deadline.left_s() <= ahead))

    def _write_due(self) -> bool:
        every_s = self.task.settings.checkpoint_every_s
        wait = max(every_s, self._write_s / WRITE_SHARE) if every_s else 0.0
        return time.monotonic() - self._written_at >= wait

    # --- checkpoints
    def write(self) -> None:
        """Write the checkpoint, then remove the best weights it no longer speaks of."""
        began = time.monotonic()
        generators = self.engine.gather(take_generators())
        self.state.seconds = self._deadline.seconds
        if self.journal is not None:
            self.state.records_bytes = self.journal.flush()
            record = make_record(
                self.state, self.task.model, self.engine, self.task.settings, generators, self.average
            )
            save_whole(self._path, {**record, "base": self._base})
            for path in self.task.folder.glob("best-*.pt"):
                if path != self.best_file(self.state.best_step or 0):
                    path.unlink()
        self._written_at = time.monotonic()
        self._write_s = self._written_at - began

    def _resume(self) -> None:
        if self._path.exists():
            kept = load_whole(self._path)
            refuse_other_settings(kept["settings"], self.task.settings, self.task.folder)
            refuse_others(kept["base"], self._base, self.task.folder)
            self.state = give_record(kept, self.task.model, self.engine, self.task.settings, self.average)
            if kept["threads"] != torch.get_num_threads():
                log.warning(_OTHER_THREADS, self.task.folder, kept["threads"], torch.get_num_threads())

    def leave(self) -> None:
        """Give the model the weights the caller wants: best, averaged, or those it has."""
        if self.task.settings.keep_best and self.state.best_step is not None:
            give_state(self.task.model, load_whole(self.best_file(self.state.best_step))["model"])
        elif self.average is not None:
            self.average.give(self.task.model)


def _make_average(task: Task) -> Average | None:
    decay = task.settings.average
    return None if decay is None else Average(task.model, decay, task.settings.average_warmup)
