"""A small training with everything that has a state, killed at stated moments; run as a script by a test.

`python killed_training.py FOLDER` forks a child per call of `fit`, so that torch is imported once, and prints
what every scenario ended in as JSON.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.utils.tensorboard
from torch import nn

from nbhelpers.training import FitSettings, fit
from nbhelpers.training import checkpoints as checkpoints_module

SETTINGS = FitSettings(
    steps=24,
    learning_rate=0.02,
    warmup_steps=5,
    accumulate=2,
    precision="fp16",
    checkpoint_every_s=0,
    validate_every=4,
    monitor_mode="min",
    clip=0.5,
)
AVERAGED = replace(SETTINGS, average=0.9, average_warmup=5, prefetch=2)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def make_model():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 32), nn.BatchNorm1d(32), nn.Dropout(0.2), nn.GELU(), nn.Linear(32, 1))


def batch(number):
    x = torch.from_numpy(np.random.default_rng((7, number)).normal(size=(16, 6))).float()
    return x, x.sum(1, keepdim=True)


def loss(model, given):
    x, y = given
    x = x + 0.01 * torch.randn_like(x) + random.gauss(0, 0.01) + np.random.normal(0, 0.01)
    return {"loss": (model(x) - y).square().mean(), "weight": len(x)}


def validate(model):
    x, y = batch(10_000)
    torch.rand(5)  # must not change what the training draws
    return {"loss": (model(x) - y).square().mean()}


def train(folder, kill=None, settings=SETTINGS):
    """One call of `fit`; `kill` is (what, step): the moment at which the process kills itself."""
    what, when = kill or ("never", -1)
    if what.startswith("write"):
        _die_in_write(what, when)

    def batches(number):
        if what == "batch" and number == when * settings.accumulate + 1:  # between two micro-batches
            die()
        if what == "slow":
            time.sleep(0.02)
        return batch(number)

    def scores(model):
        if what == "validation" and _step(folder) + 1 == when:
            die()
        return validate(model)

    model = make_model()
    result = fit(model, batches, loss, settings, folder, validate=scores)
    return model, result


def _step(folder):
    path = folder / "checkpoint.pt"
    return torch.load(path, weights_only=True)["state"]["step"] if path.exists() else 0


def _die_in_write(what, when):
    """Kill within, before or after the write that follows step `when`."""
    real = torch.save

    def save(record, file):
        step = record["state"]["step"] if "state" in record else record["step"]
        wanted = ("state" in record) == (what != "write of best") and step == when
        if wanted and what != "write, before rename":
            file.write(b"half a file" * 50)
            file.flush()
            die()
        real(record, file)
        if wanted:
            Path.replace = lambda self, target: die()

    checkpoints_module.torch.save = save


def forked(function, kill_at=None):
    """Run in a child; returns the signal that ended it, 0 for none.

    `kill_at` is (folder, steps): kill it from outside once its checkpoint is so many steps further.
    """
    child = os.fork()
    if child == 0:
        try:
            function()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    if kill_at is not None:
        folder, steps = kill_at
        goal = _step(folder) + steps
        while _step(folder) < goal:
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("a child failed")
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def summary(folder, settings=SETTINGS):
    """What the training ended in: a hash of every tensor, and the history without its clock."""

    def finish():
        model, result = train(folder, settings=settings)
        digest = hashlib.sha256()
        for name, tensor in model.state_dict().items():
            digest.update(name.encode() + tensor.numpy().tobytes())
        kept = torch.load(folder / "checkpoint.pt", weights_only=True)
        for name, value in kept.get("average", {}).items():
            digest.update(name.encode() + torch.as_tensor(value).numpy().tobytes())
        for index, state in kept["optimizer"]["state"].items():
            digest.update(f"{index}".encode() + b"".join(t.numpy().tobytes() for t in state.values()))
        history = [{key: value for key, value in row.items() if key != "seconds"} for row in result.history]
        found = {
            "hash": digest.hexdigest(),
            "scaler": kept["scaler"],
            "best": [result.best, result.best_step],
            "stopped": result.stopped,
            "resumed_from": result.resumed_from,
            "history": history,
            "files": sorted(
                path.name for path in folder.iterdir() if path.suffix == ".pt" or "tmp" in path.name
            ),
        }
        (folder / "found.json").write_text(json.dumps(found))

    assert forked(finish) == 0
    return json.loads((folder / "found.json").read_text())


MOMENTS = [
    ("batch", 1),
    ("batch", 13),
    ("validation", 8),
    ("write", 4),
    ("write", 9),
    ("write of best", 4),
    ("write, before rename", 17),
    ("write", 24),
]
AVERAGED_MOMENTS = [("batch", 13), ("validation", 8), ("write", 17), ("write of best", 12)]


def main(root):
    torch.set_num_threads(1)
    train(
        root / "warm", settings=replace(SETTINGS, steps=5)
    )  # what is imported late is imported before forking
    found = {"reference": summary(root / "reference")}
    for number, kill in enumerate(MOMENTS):
        folder = root / f"killed-{number}"
        killed = forked(lambda folder=folder, kill=kill: train(folder, kill))
        found[str(kill)] = {"signal": killed, **summary(folder)}
    folder = root / "again-and-again"
    signals = {forked(lambda: train(folder, ("slow", 0)), kill_at=(folder, steps)) for steps in (2, 3, 7)}
    found["again and again"] = {"signal": max(signals), **summary(folder)}
    found["averaged"] = summary(root / "averaged", AVERAGED)
    for number, kill in enumerate(AVERAGED_MOMENTS):
        folder = root / f"averaged-{number}"
        killed = forked(lambda folder=folder, kill=kill: train(folder, kill, AVERAGED))
        found[f"averaged {kill}"] = {"signal": killed, **summary(folder, AVERAGED)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
