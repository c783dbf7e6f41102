"""Validation, the best weights, patience; precision and the gradient scaler; no trace of accelerate."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from torch import nn

from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.training import FitSettings, fit
from nbhelpers.training.checkpoints import load_whole

SETTINGS = FitSettings(steps=12, learning_rate=0.05, tensorboard=False)


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 1))


def batch(number):
    x = torch.from_numpy(np.random.default_rng((1, number)).normal(size=(8, 4))).float()
    return x, x.sum(1, keepdim=True)


def squared(model, given):
    return (model(given[0]) - given[1]).square().mean()


def flat(model):
    return torch.cat([parameter.detach().reshape(-1).clone() for parameter in model.parameters()])


class Scores:
    """A validation that gives the listed scores one after another and keeps the weights it saw."""

    def __init__(self, *values, name="score"):
        self.values, self.name, self.seen = list(values), name, []

    def __call__(self, model):
        assert not model.training and not torch.is_grad_enabled()
        self.seen.append(flat(model))
        torch.rand(3)
        return {self.name: self.values[len(self.seen) - 1], "other": 1.0}


def test_the_best_weights_are_kept(tmp_path):
    model, scores = make_model(), Scores(0.1, 0.7, 0.7, 0.3)
    result = fit(model, batch, squared, replace(SETTINGS, validate_every=3), tmp_path, validate=scores)
    assert (result.best, result.best_step, len(scores.seen)) == (0.7, 6, 4)
    assert torch.equal(flat(model), scores.seen[1])
    assert result.series("score") == ([3, 6, 9, 12], [0.1, 0.7, 0.7, 0.3])
    assert [path.name for path in tmp_path.glob("best-*")] == ["best-6.pt"]


def test_the_last_weights_where_they_are_wanted(tmp_path):
    model, scores = make_model(), Scores(0.7, 0.1)
    settings = replace(SETTINGS, validate_every=6, keep_best=False)
    fit(model, batch, squared, settings, tmp_path, validate=scores)
    assert torch.equal(flat(model), scores.seen[1])
    best = load_whole(tmp_path / "best-6.pt")
    assert (best["score"], best["step"]) == (0.7, 6)


def test_going_on_starts_from_the_last_weights_not_the_best(tmp_path):
    constant = replace(SETTINGS, schedule="constant", validate_every=3)
    whole, grown = make_model(), make_model()
    fit(
        whole,
        batch,
        squared,
        replace(constant, steps=18, keep_best=False),
        tmp_path / "whole",
        validate=lambda m: 0,
    )
    fit(make_model(), batch, squared, constant, tmp_path / "grown", validate=Scores(0.9, 0.1, 0.1, 0.1))
    longer = replace(constant, steps=18, keep_best=False)
    fit(grown, batch, squared, longer, tmp_path / "grown", validate=lambda m: 0)
    assert torch.equal(flat(whole), flat(grown))


def test_patience_ends_it_and_it_stays_ended(tmp_path):
    settings = replace(SETTINGS, steps=100, validate_every=2, patience=2, monitor="loss", monitor_mode="min")
    scores = Scores(5, 3, 3, 2, 2.5, 2, name="loss")
    model = make_model()
    result = fit(model, batch, squared, settings, tmp_path, validate=scores)
    assert (result.stopped, result.steps, result.best, result.best_step) == ("patience", 12, 2, 8)
    again = fit(make_model(), batch, squared, settings, tmp_path, validate=lambda m: pytest.fail("validated"))
    assert (again.stopped, again.steps, again.best) == ("patience", 12, 2)


def test_validation_changes_no_bit_of_the_training(tmp_path):
    with_it, without = make_model(), make_model()
    settings = replace(SETTINGS, validate_every=1, keep_best=False)
    fit(with_it, batch, squared, settings, tmp_path / "with", validate=lambda m: torch.rand(()))
    fit(without, batch, squared, SETTINGS, tmp_path / "without")
    assert torch.equal(flat(with_it), flat(without))


def test_unusable_scores_are_refused(tmp_path):
    with pytest.raises(CheckFailed, match="'score' is to be monitored"):
        fit(make_model(), batch, squared, SETTINGS, tmp_path / "a", validate=lambda m: {"ap": 1, "ap50": 1})
    with pytest.raises(CheckFailed, match="not a number"):
        fit(make_model(), batch, squared, SETTINGS, tmp_path / "b", validate=lambda m: float("nan"))


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_precision_is_that_of_the_forward_pass_alone(tmp_path, precision, dtype):
    seen = set()

    def loss(model, given):
        out = model(given[0])
        seen.add(out.dtype)
        return (out.float() - given[1]).square().mean()

    model = make_model()
    fit(model, batch, loss, replace(SETTINGS, precision=precision), tmp_path)
    assert seen == {dtype}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not hasattr(model, "_original_forward")


def test_fp16_counts_the_steps_it_left_out_and_still_learns(tmp_path):
    model = nn.Linear(4, 1)
    settings = replace(SETTINGS, steps=300, precision="fp16", warmup_steps=2)
    result = fit(model, batch, squared, settings, tmp_path)
    left_out = [row["step"] for row in result.history if row["grad_norm"] is None]
    assert result.overflows == len(left_out) > 0
    assert result.steps == 300
    rates = [row["lr"] for row in result.history]
    assert rates[left_out[0] - 1] == rates[left_out[0]]  # the schedule waits for steps that were taken
    assert torch.allclose(model.weight, torch.ones(1, 4), atol=0.05)


def test_gradients_that_stay_infinite_are_an_error(tmp_path):
    def loss(model, given):
        return (model(given[0]) * 0).float().sqrt().sum()

    with pytest.raises(CheckFailed, match="not finite in 24 steps in a row"):
        fit(make_model(), batch, loss, replace(SETTINGS, steps=50, precision="fp16"), tmp_path)


def test_half_parameters_are_refused_with_a_scaler(tmp_path):
    with pytest.raises(BadInput, match=r"0\.weight is itself float16"):
        fit(make_model().half(), batch, squared, replace(SETTINGS, precision="fp16"), tmp_path)


def accelerate_states():
    return [dict(kind._shared_state) for kind in (PartialState, AcceleratorState, GradientState)]


def test_accelerate_is_left_as_it_was(tmp_path):
    with_nothing = accelerate_states()
    fit(make_model(), batch, squared, replace(SETTINGS, precision="bf16"), tmp_path / "a")
    assert accelerate_states() == with_nothing
    own = Accelerator(cpu=True, mixed_precision="bf16", gradient_accumulation_steps=3)
    try:
        fit(make_model(), batch, squared, SETTINGS, tmp_path / "b")
        assert own.mixed_precision == "bf16"
        assert own.gradient_accumulation_steps == 3
    finally:
        for kind, state in zip((PartialState, AcceleratorState, GradientState), with_nothing, strict=True):
            kind._shared_state.clear()
            kind._shared_state.update(state)


def test_environment_of_a_launcher_does_not_divide_the_loss_twice(tmp_path, monkeypatch):
    plain, launched = make_model(), make_model()
    fit(plain, batch, squared, replace(SETTINGS, clip=None), tmp_path / "plain")
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    fit(launched, batch, squared, replace(SETTINGS, clip=None), tmp_path / "launched")
    assert torch.equal(flat(plain), flat(launched))


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
def test_on_a_gpu_a_resume_ends_in_the_same_bits(tmp_path, precision):
    settings = replace(SETTINGS, steps=40, precision=precision, checkpoint_every_s=0)
    whole, again = make_model().cuda(), make_model().cuda()
    fit(whole, batch, squared, settings, tmp_path / "whole")

    def broken(number):
        if number == 23:
            raise OSError("no such image")
        return batch(number)

    with pytest.raises(OSError, match="no such image"):
        fit(make_model().cuda(), broken, squared, settings, tmp_path / "cut")
    assert fit(again, batch, squared, settings, tmp_path / "cut").resumed_from == 23
    assert torch.equal(flat(whole), flat(again))
    assert flat(again).is_cuda
