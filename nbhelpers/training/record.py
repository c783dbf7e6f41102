"""What a checkpoint holds, taken from a training under way and given back to one."""

from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from nbhelpers.training.average import Average
from nbhelpers.training.checkpoints import FORMAT, give_state, trained_state
from nbhelpers.training.engine import Engine
from nbhelpers.training.generators import give_generators
from nbhelpers.training.resume import plain_settings
from nbhelpers.training.schedules import follow
from nbhelpers.training.settings import FitSettings
from nbhelpers.training.state import State


def make_record(
    state: State,
    model: nn.Module,
    engine: Engine,
    settings: FitSettings,
    generators: list[dict[str, Any]],
    average: Average | None,
) -> dict[str, Any]:
    """Everything a training needs to go on, but for what the caller of `fit` gives again.

    `generators` are the states of every process's random generators, in order of the ranks.
    """
    record = {
        "format": FORMAT,
        "settings": plain_settings(settings),
        "state": asdict(state),
        "model": trained_state(model),
        "optimizer": engine.optimizer.state_dict(),
        "scheduler": engine.scheduler.state_dict(),
        "scaler": None if engine.scaler is None else engine.scaler.state_dict(),
        "generators": generators,
        "threads": torch.get_num_threads(),
    }
    return record if average is None else {**record, "average": average.record()}


def give_record(
    kept: dict[str, Any], model: nn.Module, engine: Engine, settings: FitSettings, average: Average | None
) -> State:
    """Put a training back to where `make_record` took it; returns how far it had come.

    Raises:
        BadInput: the record was taken from another model.
    """
    give_state(model, kept["model"])
    if average is not None:
        average.load(kept["average"])
    engine.optimizer.load_state_dict(kept["optimizer"])
    engine.scheduler.load_state_dict(kept["scheduler"])
    follow(engine.scheduler, settings)
    if engine.scaler is not None:
        engine.scaler.load_state_dict(kept["scaler"])
    give_generators(kept["generators"][engine.rank])
    return State(**kept["state"])
