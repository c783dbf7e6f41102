"""What `fit` does to a model, step by step."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from nbhelpers.artifacts import read_records
from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.training import FitSettings, fit

QUIET = FitSettings(steps=12, learning_rate=0.05, tensorboard=False)


def linear(seed=0):
    torch.manual_seed(seed)
    return nn.Linear(4, 1)


def batch(number, rows=8):
    x = torch.from_numpy(np.random.default_rng((1, number)).normal(size=(rows, 4))).float()
    return x, x.sum(1, keepdim=True)


def squared(model, given):
    x, y = given
    return (model(x) - y).square().mean()


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_it_learns(tmp_path):
    model = linear()
    result = fit(model, batch, squared, replace(QUIET, steps=300), tmp_path)
    assert (result.steps, result.stopped, result.best) == (300, "steps", None)
    assert torch.allclose(model.weight, torch.ones(1, 4), atol=0.02)
    assert result.series("loss")[0] == list(range(1, 301))
    assert list(read_records(tmp_path / "records.jsonl")) == result.history
    assert result.steps_per_s > 0 and result.seconds > 0


def test_steps_are_those_of_a_plain_loop_to_the_bit(tmp_path):
    settings = replace(QUIET, warmup_steps=3, clip=0.5, weight_decay=0.1)
    model, plain = linear(), linear()
    fit(model, batch, squared, settings, tmp_path)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=0.05, weight_decay=0.1)
    for step in range(12):
        rise = (step + 1) / 3 if step < 3 else 0.5 * (1 + math.cos(math.pi * (step - 3) / 9))
        optimizer.param_groups[0]["lr"] = 0.05 * rise
        optimizer.zero_grad()
        squared(plain, batch(step)).backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        optimizer.step()
    assert same(weights(model), weights(plain))


def test_accumulation_equals_one_large_batch(tmp_path):
    parts, whole = linear(), linear()
    fit(parts, batch, squared, replace(QUIET, accumulate=4), tmp_path / "parts")

    def large(step):
        found = [batch(4 * step + part) for part in range(4)]
        return tuple(torch.cat(column) for column in zip(*found, strict=True))

    fit(whole, large, squared, QUIET, tmp_path / "whole")
    assert all(
        torch.allclose(p, q, atol=1e-6) for p, q in zip(parts.parameters(), whole.parameters(), strict=True)
    )


def test_weights_make_unequal_micro_batches_one_large_batch(tmp_path):
    sizes = (2, 11)

    def small(number):
        return batch(number, sizes[number % 2])

    def large(step):
        return tuple(torch.cat(column) for column in zip(small(2 * step), small(2 * step + 1), strict=True))

    def weighted(model, given):
        return {"loss": squared(model, given), "weight": len(given[0])}

    unequal, whole, blind = linear(), linear(), linear()
    settings = replace(QUIET, accumulate=2)
    result = fit(unequal, small, weighted, settings, tmp_path / "unequal")
    reference = fit(whole, large, squared, QUIET, tmp_path / "whole")
    fit(blind, small, squared, settings, tmp_path / "blind")
    assert torch.allclose(unequal.weight, whole.weight, atol=1e-6)
    assert not torch.allclose(blind.weight, whole.weight, atol=1e-3)
    assert result.series()[1] == pytest.approx(reference.series()[1], abs=1e-6)


def test_a_weight_on_single_batches_changes_no_bit(tmp_path):
    one, other = linear(), linear()
    fit(one, batch, squared, QUIET, tmp_path / "one")
    fit(other, batch, lambda m, b: {"loss": squared(m, b), "weight": 7}, QUIET, tmp_path / "other")
    assert same(weights(one), weights(other))


def test_batch_numbers_and_parts(tmp_path):
    asked = []

    def numbered(number):
        asked.append(number)
        return batch(number), number

    def loss(model, given):
        return {"loss": squared(model, given[0]), "number": given[1], "twice": torch.tensor(2.0 * given[1])}

    result = fit(linear(), numbered, loss, replace(QUIET, steps=3, accumulate=2), tmp_path)
    assert asked == [0, 1, 2, 3, 4, 5]
    assert [row["number"] for row in result.history] == [0.5, 2.5, 4.5]
    assert [row["twice"] for row in result.history] == [1, 5, 9]


def test_only_what_asks_for_gradients_changes(tmp_path):
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    model.requires_grad_(False)
    model[2].requires_grad_(True)
    before = weights(model)
    fit(model, batch, squared, QUIET, tmp_path)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"2.weight", "2.bias"}  # no running statistics among them


def test_trained_batch_norm_keeps_its_statistics_running(tmp_path):
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    before = weights(model)
    fit(model, batch, squared, QUIET, tmp_path)
    assert not torch.equal(model[1].running_mean, before["1.running_mean"])


def test_modes_and_generators_are_given_back(tmp_path):
    model = nn.Sequential(nn.Linear(4, 1), nn.Dropout(0.5)).eval()
    seen = []

    def loss(model, given):
        seen.append(model.training)
        return squared(model, given)

    def draws():
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    for generator in (random.seed, np.random.seed, torch.manual_seed):
        generator(5)
    expected = draws()
    for generator in (random.seed, np.random.seed, torch.manual_seed):
        generator(5)
    fit(model, batch, loss, QUIET, tmp_path)
    assert draws() == expected
    assert all(seen) and not any(module.training for module in model.modules())


def test_dropout_follows_the_seed_not_what_was_drawn_before(tmp_path):
    found = []
    for number, seed in enumerate((1, 1, 2)):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.5), nn.Linear(16, 1))
        torch.rand(number)
        fit(model, batch, squared, replace(QUIET, seed=seed), tmp_path / str(number))
        found.append(weights(model))
    assert same(found[0], found[1]) and not same(found[0], found[2])


def test_own_optimizer(tmp_path):
    model, other = linear(), linear()
    settings = replace(QUIET, schedule="constant", clip=None)
    fit(
        model,
        batch,
        squared,
        settings,
        tmp_path / "a",
        optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.1),
    )
    fit(
        other, batch, squared, settings, tmp_path / "b", optimizer=torch.optim.SGD(other.parameters(), lr=0.1)
    )
    plain = linear()
    for step in range(12):
        plain.zero_grad()
        squared(plain, batch(step)).backward()
        with torch.no_grad():
            for parameter in plain.parameters():
                parameter -= 0.1 * parameter.grad
    assert same(weights(model), weights(other))
    assert torch.allclose(model.weight, plain.weight, atol=1e-6)


def test_log_every_leaves_rows_out(tmp_path):
    result = fit(linear(), batch, squared, replace(QUIET, log_every=5), tmp_path)
    assert result.series()[0] == [5, 10, 12]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda m, b: squared(m, b) * float("nan"), "step 1, batch 0: the loss is nan"),
        (lambda m, b: (m(b[0]) * 0).sqrt().sum(), "the loss is finite but the norm of its gradient is nan"),
    ],
)
def test_non_finite_numbers_stop_it(tmp_path, value, words):
    model = linear()
    before = weights(model)
    with pytest.raises(CheckFailed, match=words):
        fit(model, batch, value, QUIET, tmp_path)
    assert same(weights(model), before)


def test_non_finite_loss_later_leaves_the_checkpoint_alone(tmp_path):
    def loss(model, given):
        return squared(model, given[0]) * (float("inf") if given[1] == 13 else 1)

    settings = replace(QUIET, accumulate=2, checkpoint_every_s=0)
    with pytest.raises(CheckFailed, match="step 7, batch 13: the loss is inf"):
        fit(linear(), lambda k: (batch(k), k), loss, settings, tmp_path)
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert kept["state"]["step"] == 6
    assert all(torch.isfinite(value).all() for value in kept["model"].values())


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda m, b: {"other": squared(m, b)}, "'loss' is missing"),
        (lambda m, b: 1.0, "must be a tensor of one number"),
        (lambda m, b: m(b[0]), "must be a tensor of one number"),
        (lambda m, b: squared(m, b).detach(), "does not depend on any parameter"),
        (lambda m, b: {"loss": squared(m, b), "weight": -1}, "must be 0 or more"),
        (lambda m, b: {"loss": squared(m, b), "weight": 0}, "add up to 0"),
    ],
)
def test_unusable_losses_are_refused(tmp_path, loss, words):
    with pytest.raises(BadInput, match=words):
        fit(linear(), batch, loss, QUIET, tmp_path)


def test_nothing_to_train_is_refused(tmp_path):
    with pytest.raises(BadInput, match="nothing to train"):
        fit(linear().requires_grad_(False), batch, squared, QUIET, tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"learning_rate": 0},
        {"schedule": "step"},
        {"warmup_steps": 13},
        {"betas": (0.9, 1.0)},
        {"clip": 0},
        {"precision": "fp8"},
        {"patience": 0},
        {"max_seconds": 0},
        {"seed": -1},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(BadInput, match=f"training setting {next(iter(wrong))}="):
        replace(QUIET, **wrong)
