"""A training in one process or several: `launched_training.py FOLDER ACCUMULATE`."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from nbhelpers.training import FitSettings, fit


def batch(number):
    x = torch.from_numpy(np.random.default_rng((1, number)).normal(size=(4 + number % 2 * 9, 4))).float()
    return x, x.sum(1, keepdim=True)


def loss(model, given):
    return {"loss": (model(given[0]) - given[1]).square().mean(), "weight": len(given[0])}


def train(folder, accumulate):
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    settings = FitSettings(
        steps=10, learning_rate=0.05, accumulate=accumulate, validate_every=5, monitor_mode="min"
    )
    result = fit(model, batch, loss, settings, folder, validate=lambda m: loss(m, batch(99))["loss"])
    return model.state_dict(), (result.stopped, result.steps, result.resumed_from)


def main(folder, accumulate):
    _, first = train(folder, accumulate)
    taken, second = train(folder, accumulate)  # finds the training done
    together = torch.distributed.is_initialized()
    rank = torch.distributed.get_rank() if together else 0
    torch.save({"model": taken, "calls": [first, second]}, folder / f"rank-{rank}.pt")
    if together:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
