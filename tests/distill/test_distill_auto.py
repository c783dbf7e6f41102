"""The plan: what `auto` becomes, by one rule, and that what is set stays."""

from types import SimpleNamespace

import pytest

from nbhelpers.distill import make_plan
from nbhelpers.settings.sections import DistillSection


def a_set(count, width, height):
    return SimpleNamespace(images=[{"width": width, "height": height}] * count)


@pytest.mark.parametrize(
    ("count", "side", "device", "size", "batch"),
    [
        (12, 800, "cpu", 320, 2),
        (210, 160, "cpu", 160, 8),
        (12, 800, "cuda:0", 640, 8),
        (5000, 100, "cpu", 128, 16),
    ],
)
def test_sizes_and_batches(count, side, device, size, batch):
    plan = make_plan(a_set(count, side, side // 2), DistillSection(), device)
    assert (plan.image_size, plan.batch) == (size, batch)
    assert set(plan.reasons) == {"image_size", "epochs", "batch"}


def test_the_budget_of_pixels_is_kept():
    for count, side in ((12, 320), (210, 160), (60, 256)):
        plan = make_plan(a_set(count, side, side), DistillSection(budget_megapixels=60), "cpu")
        assert count * plan.epochs * side * side / 1e6 == pytest.approx(60, rel=0.06)


def test_epochs_are_bounded():
    assert make_plan(a_set(1, 64, 64), DistillSection(), "cpu").epochs == 300
    assert make_plan(a_set(100_000, 320, 320), DistillSection(), "cpu").epochs == 10


def test_what_is_set_stays():
    plan = make_plan(
        a_set(12, 800, 600), DistillSection(image_size=96, epochs=7, batch=3, validations=2), "cpu"
    )
    assert (plan.image_size, plan.epochs, plan.batch, plan.validate_every) == (96, 7, 3, 4)
    assert set(plan.reasons.values()) == {"as set"}
