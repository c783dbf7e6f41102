"""Batch number m of a function, a list and a loader; the learning rate of step k."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from nbhelpers.errors import BadInput
from nbhelpers.training.schedules import factor
from nbhelpers.training.settings import FitSettings
from nbhelpers.training.source import batch_source


def test_a_function_is_taken_as_it_is():
    assert [batch_source(lambda k: k * k, 0, True)(k) for k in (3, 1)] == [9, 1]


def test_a_list_is_drawn_anew_each_epoch_and_any_number_can_be_asked_for():
    source = batch_source(list("abcde"), seed=3, shuffle=True)
    epochs = ["".join(source(5 * epoch + place) for place in range(5)) for epoch in range(4)]
    assert all(sorted(epoch) == list("abcde") for epoch in epochs)
    assert len(set(epochs)) > 1
    assert batch_source(list("abcde"), 3, True)(17) == epochs[3][2]
    assert "".join(batch_source(list("abcde"), 4, True)(k) for k in range(5)) != epochs[0]


def test_a_list_in_order():
    source = batch_source(("a", "b"), 0, shuffle=False)
    assert [source(k) for k in range(5)] == ["a", "b", "a", "b", "a"]


def loader(seed):
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(TensorDataset(torch.arange(10)), batch_size=4, shuffle=True, generator=generator)


def test_a_loader_goes_round_and_can_be_gone_on_with():
    whole = batch_source(loader(0), 1, True)
    batches = [whole(k)[0].tolist() for k in range(7)]
    for epoch in (batches[:3], batches[3:6]):
        assert sorted(number for batch in epoch for number in batch) == list(range(10))
    assert batches[:3] != batches[3:6]
    later = batch_source(loader(99), 1, True)  # its own seed does not matter
    assert later(5)[0].tolist() == batches[5]
    with pytest.raises(BadInput, match="cannot go back"):
        later(2)


def test_a_sampler_is_told_the_epoch():
    class Epochs:
        epoch = None

        def set_epoch(self, epoch):
            self.epoch = epoch

        def __iter__(self):
            return iter([self.epoch] * 2)

    source = batch_source(Epochs(), 0, True)
    assert [source(k) for k in range(5)] == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("batches", "words"), [([], "empty"), (iter([]), "gave nothing"), (3, "int"), (iter([1]), "only once")]
)
def test_unusable_sources_are_refused(batches, words):
    with pytest.raises(BadInput, match=words):
        source = batch_source(batches, 0, True)
        source(0), source(1)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_learning_rate(schedule):
    settings = FitSettings(steps=100, warmup_steps=10, schedule=schedule, final_factor=0.1)
    factors = np.array([factor(step, settings) for step in range(101)])
    assert factors[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert factors[10] == 1
    assert (np.diff(factors[10:]) <= 0).all()
    assert factors[55] == pytest.approx({"cosine": 0.55, "linear": 0.55, "constant": 1}[schedule])
    assert factors[100] == pytest.approx({"cosine": 0.1, "linear": 0.1, "constant": 1}[schedule])


def test_all_steps_may_be_warm_up():
    settings = FitSettings(steps=4, warmup_steps=4)
    assert [factor(step, settings) for step in range(4)] == [0.25, 0.5, 0.75, 1]
