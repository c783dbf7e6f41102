"""Going on: after a deadline, with other settings, with another model, in a folder in use."""

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from nbhelpers.errors import BadInput
from nbhelpers.training import FitSettings, fit
from nbhelpers.training.checkpoints import load_whole, save_whole

SETTINGS = FitSettings(steps=12, learning_rate=0.05, tensorboard=False, checkpoint_every_s=0)


def make_model(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 1))


def batch(number):
    x = torch.from_numpy(np.random.default_rng((1, number)).normal(size=(8, 4))).float()
    return x, x.sum(1, keepdim=True)


def squared(model, given):
    return (model(given[0]) - given[1]).square().mean()


def flat(model):
    return torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()])


def cut(folder, steps, settings=SETTINGS, model=None):
    """A training that a broken batch ends after `steps` steps."""

    def broken(number):
        if number == steps:
            raise OSError("no such image")
        return batch(number)

    with pytest.raises(OSError, match="no such image"):
        fit(model or make_model(), broken, squared, settings, folder)


def test_an_error_in_a_batch_costs_nothing(tmp_path):
    whole, again = make_model(), make_model()
    fit(whole, batch, squared, SETTINGS, tmp_path / "whole")
    cut(tmp_path / "cut", 7)
    result = fit(again, batch, squared, SETTINGS, tmp_path / "cut")
    assert result.resumed_from == 7
    assert torch.equal(flat(whole), flat(again))


def test_a_finished_training_is_taken_as_it_is(tmp_path):
    first, second = make_model(), make_model(seed=9)
    done = fit(first, batch, squared, SETTINGS, tmp_path)
    again = fit(second, lambda k: pytest.fail("a batch was drawn"), squared, SETTINGS, tmp_path)
    assert torch.equal(flat(first), flat(second))
    assert (again.resumed_from, again.stopped) == (12, "steps")
    assert again.history == done.history
    assert again.seconds == done.seconds


def test_a_deadline_stops_with_a_checkpoint_and_a_later_one_goes_on(tmp_path):
    def slow(number):
        time.sleep(0.2)
        return batch(number)

    whole, model = make_model(), make_model()
    fit(whole, batch, squared, SETTINGS, tmp_path / "whole")
    short = replace(SETTINGS, max_seconds=1.0, checkpoint_every_s=1000)
    began = time.monotonic()
    first = fit(model, slow, squared, short, tmp_path / "short")
    assert first.stopped == "deadline" and 1 <= first.steps < 12
    assert first.seconds <= 1.5 and time.monotonic() - began < 10
    same = fit(make_model(), slow, squared, short, tmp_path / "short")
    assert same.stopped == "deadline" and same.steps <= first.steps + 1  # the time is used up
    again = make_model()
    result = fit(again, slow, squared, replace(short, max_seconds=100), tmp_path / "short")
    assert (result.stopped, result.resumed_from) == ("steps", same.steps)
    assert torch.equal(flat(whole), flat(again))


def test_an_absolute_end(tmp_path):
    past = fit(make_model(), batch, squared, SETTINGS, tmp_path, end_at=time.time() - 1)
    assert (past.stopped, past.steps) == ("deadline", 0)
    later = fit(make_model(), batch, squared, SETTINGS, tmp_path, end_at=time.time() + 100)
    assert (later.stopped, later.steps) == ("steps", 12)


def test_a_deadline_leaves_time_for_validation(tmp_path):
    def slow_scores(model):
        time.sleep(1.0)
        return 0.0

    settings = replace(SETTINGS, validate_every=2, max_seconds=1.9)
    result = fit(make_model(), batch, squared, settings, tmp_path, validate=slow_scores)
    assert (result.steps, result.stopped) == (3, "deadline")  # the validation after step 4 would end too late
    assert result.seconds < 1.9


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 0.1},
        {"steps": 11},
        {"seed": 1},
        {"accumulate": 2},
        {"betas": (0.8, 0.99)},
        {"clip": None},
    ],
)
def test_other_settings_are_refused(tmp_path, change):
    cut(tmp_path, 3)
    with pytest.raises(BadInput, match=f"holds a training with {next(iter(change))}="):
        fit(make_model(), batch, squared, replace(SETTINGS, **change), tmp_path)
    assert fit(make_model(), batch, squared, SETTINGS, tmp_path).resumed_from == 3


def test_settings_that_change_no_step_may_change(tmp_path):
    cut(tmp_path, 3)
    free = replace(
        SETTINGS, max_seconds=50, checkpoint_every_s=9, log_every=2, tensorboard=True, keep_best=False
    )
    assert fit(make_model(), batch, squared, free, tmp_path).resumed_from == 3


def test_steps_may_grow_and_the_schedule_follows(tmp_path):
    fit(make_model(), batch, squared, SETTINGS, tmp_path)
    result = fit(make_model(), batch, squared, replace(SETTINGS, steps=24), tmp_path)
    assert (result.resumed_from, result.steps) == (12, 24)
    rates = [row["lr"] for row in result.history]
    assert rates[11] < 0.001
    assert rates[12] == pytest.approx(0.05 / 2)  # half way of a cosine over 24 steps


def test_steps_grown_under_a_constant_rate_are_those_of_a_longer_training(tmp_path):
    constant = replace(SETTINGS, schedule="constant")
    whole, grown = make_model(), make_model()
    fit(whole, batch, squared, replace(constant, steps=20), tmp_path / "whole")
    fit(make_model(), batch, squared, constant, tmp_path / "grown")
    fit(grown, batch, squared, replace(constant, steps=20), tmp_path / "grown")
    assert torch.equal(flat(whole), flat(grown))


def test_other_data_or_models_are_refused(tmp_path):
    cut(tmp_path, 3)
    with pytest.raises(BadInput, match="another folder or resume=False"):
        fit(make_model(), batch, squared, SETTINGS, tmp_path, data="other.json")
    with pytest.raises(BadInput, match=r"0\.bias: is \[8\] in the checkpoint and \[9\] in the model"):
        fit(nn.Sequential(nn.Linear(4, 9), nn.Dropout(), nn.Linear(9, 1)), batch, squared, SETTINGS, tmp_path)


def test_resume_false_begins_anew(tmp_path):
    cut(tmp_path, 3)
    result = fit(make_model(), batch, squared, replace(SETTINGS, seed=5), tmp_path, resume=False)
    assert result.resumed_from == 0
    assert result.series()[0] == list(range(1, 13))


def adapted(seed=0):
    torch.manual_seed(seed)
    return get_peft_model(make_model(seed), LoraConfig(r=2, target_modules=["0"]))


def test_a_checkpoint_of_an_adapter_holds_the_adapter_alone(tmp_path):
    whole, model = adapted(), adapted()
    fit(whole, batch, squared, SETTINGS, tmp_path / "whole")
    cut(tmp_path / "cut", 5, model=adapted())
    kept = load_whole(tmp_path / "cut" / "checkpoint.pt")
    assert kept["model"] and all("lora_" in name for name in kept["model"])
    fit(model, batch, squared, SETTINGS, tmp_path / "cut")
    assert torch.equal(flat(whole), flat(model))


def test_an_adapter_on_another_base_is_refused(tmp_path):
    cut(tmp_path, 5, model=adapted())
    with pytest.raises(BadInput, match="other frozen weights"):
        fit(adapted(seed=1), batch, squared, SETTINGS, tmp_path)


def test_tied_parameters_and_buffers_come_back(tmp_path):
    def tied():
        model = nn.ModuleDict({"a": nn.Linear(4, 4), "norm": nn.BatchNorm1d(4), "b": nn.Linear(4, 4)})
        model["b"].weight = model["a"].weight
        return model

    def loss(model, given):
        return model["b"](model["norm"](model["a"](given[0]))).square().mean()

    torch.manual_seed(0)
    first = tied()
    fit(first, batch, loss, SETTINGS, tmp_path)
    second = tied()
    fit(second, batch, loss, SETTINGS, tmp_path)
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())
    assert second["a"].weight is second["b"].weight


def test_a_broken_checkpoint_is_named(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(BadInput, match=r"checkpoint\.pt: cannot be read as a checkpoint"):
        fit(make_model(), batch, squared, SETTINGS, tmp_path)
    torch.save([1, 2], tmp_path / "checkpoint.pt")
    with pytest.raises(BadInput, match="no checkpoint of this version"):
        fit(make_model(), batch, squared, SETTINGS, tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = save_whole(tmp_path / "a.pt", {"format": 1, "value": 1})
    with pytest.raises(AttributeError, match="pickle"):
        save_whole(path, {"format": 1, "value": lambda: 2})
    assert load_whole(path)["value"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]


def test_a_folder_in_use_is_refused(tmp_path):
    holder = (
        "import filelock, sys, time; lock = filelock.FileLock(sys.argv[1]); "
        "lock.acquire(); print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, tmp_path / ".lock"], stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        try:
            with pytest.raises(BadInput, match="another process trains here"):
                fit(make_model(), batch, squared, SETTINGS, tmp_path)
        finally:
            process.kill()
    assert fit(make_model(), batch, squared, SETTINGS, tmp_path).steps == 12


def test_other_threads_are_said(tmp_path, caplog):
    cut(tmp_path, 3)
    kept = load_whole(tmp_path / "checkpoint.pt")
    save_whole(tmp_path / "checkpoint.pt", kept | {"threads": kept["threads"] + 1})
    fit(make_model(), batch, squared, SETTINGS, tmp_path)
    assert "the last bits may differ" in caplog.text
