"""The moving average of the weights: its arithmetic, who sees it, what is kept of it; batches made ahead."""

import math
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from nbhelpers.errors import BadInput
from nbhelpers.training import FitSettings, fit
from nbhelpers.training.average import Average, averaged
from nbhelpers.training.checkpoints import load_whole, save_whole, trained_state
from nbhelpers.training.prefetch import Prefetch

SETTINGS = FitSettings(steps=8, learning_rate=0.05, tensorboard=False, average=0.8, average_warmup=3)


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))


def batch(number):
    x = torch.from_numpy(np.random.default_rng((1, number)).normal(size=(8, 4))).float()
    return x, x.sum(1, keepdim=True)


def squared(model, given):
    return (model(given[0]) - given[1]).square().mean()


def state_of(model):
    return {name: tensor.clone() for name, tensor in trained_state(model).items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Weights:
    """A loss that keeps the weights it is called with, and a validation that keeps those it sees."""

    def __init__(self):
        self.trained, self.validated = [], []

    def loss(self, model, given):
        self.trained.append(state_of(model))
        return squared(model, given)

    def validate(self, model):
        self.validated.append(state_of(model))
        return -float(len(self.validated))  # the first is the best


def by_hand(before, states, decay=0.8, warmup=3):
    """The average over states after each step, written out."""
    kept = {name: tensor.double() for name, tensor in before.items()}
    for n, now in enumerate(states, start=1):
        d = decay * (1 - math.exp(-n / warmup))
        kept = {name: d * kept[name] + (1 - d) * now[name].double() for name in kept}
    return kept


def test_the_average_is_the_one_written_out_by_hand(tmp_path):
    seen = Weights()
    fit(make_model(), batch, seen.loss, replace(SETTINGS, validate_every=4), tmp_path, validate=seen.validate)
    plain = Weights()
    off = replace(SETTINGS, average=None, validate_every=1)
    fit(make_model(), batch, plain.loss, off, tmp_path / "plain", validate=plain.validate)
    assert all(same(one, other) for one, other in zip(seen.trained, plain.trained, strict=True))
    for found, steps in zip(seen.validated, (4, 8), strict=True):
        wanted = by_hand(plain.trained[0], plain.validated[:steps])
        for name in ("0.weight", "2.bias", "1.running_mean", "1.running_var"):
            torch.testing.assert_close(found[name].double(), wanted[name], rtol=1e-5, atol=1e-6)
        assert found["1.num_batches_tracked"] == steps


def test_best_and_last_are_the_averaged_ones_and_the_checkpoint_holds_both(tmp_path):
    seen, model = Weights(), make_model()
    settings = replace(SETTINGS, validate_every=4)
    fit(model, batch, seen.loss, settings, tmp_path, validate=seen.validate)
    assert same(state_of(model), seen.validated[0])
    assert same(load_whole(tmp_path / "best-4.pt")["model"], seen.validated[0])
    last = make_model()
    fit(last, batch, seen.loss, replace(settings, keep_best=False), tmp_path, validate=seen.validate)
    assert same(state_of(last), seen.validated[1])
    kept = load_whole(tmp_path / "checkpoint.pt")
    assert kept["average"]["updates"] == 8
    assert not same(kept["model"], seen.validated[1])


def test_without_validation_the_model_is_left_averaged(tmp_path):
    model, raw = make_model(), make_model()
    fit(model, batch, squared, SETTINGS, tmp_path / "a")
    fit(raw, batch, squared, replace(SETTINGS, average=None), tmp_path / "b")
    kept = load_whole(tmp_path / "a" / "checkpoint.pt")
    assert same(kept["model"], state_of(raw))
    assert same(
        {n.removeprefix("state."): t for n, t in kept["average"].items() if n != "updates"}, state_of(model)
    )


def test_a_broken_off_training_goes_on_with_its_average(tmp_path):
    def broken(number):
        if number == 5:
            raise OSError("no such image")
        return batch(number)

    whole, again = make_model(), make_model()
    settings = replace(SETTINGS, checkpoint_every_s=0)
    fit(whole, batch, squared, settings, tmp_path / "whole")
    with pytest.raises(OSError, match="no such image"):
        fit(make_model(), broken, squared, settings, tmp_path / "cut")
    assert fit(again, batch, squared, settings, tmp_path / "cut").resumed_from == 5
    assert same(state_of(whole), state_of(again))


def test_another_decay_is_refused_and_older_checkpoints_are_not(tmp_path):
    plain = replace(SETTINGS, average=None, average_warmup=2000)
    fit(make_model(), batch, squared, plain, tmp_path)
    with pytest.raises(BadInput, match=r"holds a training with average=None, asked for is 0\.8"):
        fit(make_model(), batch, squared, replace(SETTINGS, average_warmup=2000), tmp_path)
    kept = load_whole(tmp_path / "checkpoint.pt")
    older = {k: v for k, v in kept["settings"].items() if k not in ("average", "average_warmup", "prefetch")}
    save_whole(tmp_path / "checkpoint.pt", kept | {"settings": older})
    assert fit(make_model(), batch, squared, replace(plain, steps=9), tmp_path).resumed_from == 8


@pytest.mark.parametrize("bad", [{"average": 1.0}, {"average": 0.0}, {"average_warmup": 0}, {"prefetch": -1}])
def test_bad_settings_are_named(bad):
    with pytest.raises(BadInput, match=next(iter(bad))):
        replace(SETTINGS, **bad)


def test_the_model_is_given_back_to_the_bit_even_after_an_error():
    model = make_model()
    before = state_of(model)
    average = Average(model, 0.9, 10)
    with torch.no_grad():
        model[0].weight.add_(1)
    changed = state_of(model)
    average.update(model)
    with pytest.raises(RuntimeError, match="validation failed"), averaged(average, model):
        assert not same(state_of(model), changed)
        raise RuntimeError("validation failed")
    assert same(state_of(model), changed)
    assert not same(state_of(model), before)


def test_half_precision_is_averaged_in_single():
    model = nn.Linear(1, 1, bias=False).to(torch.bfloat16)
    nn.init.constant_(model.weight, 1.0)
    average = Average(model, 0.999, 1)
    average.updates = 100  # the warm-up is over
    nn.init.constant_(model.weight, 1.0078125)  # the next number in bfloat16
    for _ in range(500):
        average.update(model)
    assert float(average.state["weight"]) == pytest.approx(1 + 0.0078125 * (1 - 0.999**500), rel=1e-4)


def test_prefetched_batches_give_the_same_bits(tmp_path):
    ahead, plain = make_model(), make_model()
    settings = replace(SETTINGS, accumulate=3)
    fit(ahead, batch, squared, replace(settings, prefetch=4), tmp_path / "ahead")
    fit(plain, batch, squared, settings, tmp_path / "plain")
    assert same(state_of(ahead), state_of(plain))
    # the thread is gone, and whether batches come ahead may change between two calls
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]
    longer = fit(ahead, batch, squared, replace(settings, steps=10), tmp_path / "ahead")
    assert longer.resumed_from == 8


def test_batches_are_made_ahead_within_bounds_and_never_past_the_end():
    made, enough = [], threading.Event()

    def source(number):
        made.append(number)
        if len(made) == 3:
            enough.set()
        return number

    with Prefetch(source, ahead=2, end=9, stride=2) as batches:
        assert batches(0) == 0
        assert enough.wait(10)  # 2 and 4 follow without being asked for
        assert [batches(number) for number in (2, 4, 6, 8)] == [2, 4, 6, 8]
        assert batches(100) == 100  # whoever asks gets it, in order or not
    assert made == [0, 2, 4, 6, 8, 100]


def test_an_error_in_a_batch_made_ahead_is_raised_where_it_is_asked_for(tmp_path):
    def broken(number):
        if number == 5:
            raise OSError("image 17 cannot be read")
        return batch(number)

    settings = replace(SETTINGS, prefetch=3, checkpoint_every_s=0)
    with pytest.raises(OSError, match="image 17 cannot be read"):
        fit(make_model(), broken, squared, settings, tmp_path)
    assert load_whole(tmp_path / "checkpoint.pt")["state"]["step"] == 5


def test_only_a_function_can_be_asked_ahead(tmp_path):
    with pytest.raises(BadInput, match="prefetch needs batches as a function"):
        fit(make_model(), [batch(0)], squared, replace(SETTINGS, prefetch=1), tmp_path)
