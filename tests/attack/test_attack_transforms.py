"""Wear and tear of a print: switched off it changes nothing; seeded; differentiable."""

import pytest
import torch

from nbhelpers.attack import Wear
from nbhelpers.attack.objective import away, non_printability, total_variation, towards
from nbhelpers.attack.optimizers import SignMomentum, make_optimizer
from nbhelpers.attack.transforms import (
    generator,
    jpeg,
    printed,
    straight_through,
    to_levels,
    wear_patch,
    wear_picture,
)
from nbhelpers.errors import BadInput

ALL = Wear((0.2, 1.0), (0.7, 1.3), (0.7, 1.3), (0.3, 1.0), (0.0, 0.05), (40, 90))


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_switched_off_nothing_changes():
    pixels, pictures = noise(3, 8, 8), noise(2, 3, 16, 16)
    assert torch.equal(wear_patch(pixels, 2, Wear(), generator(0)), pixels.expand(2, 3, 8, 8))
    assert torch.equal(wear_picture(pictures, Wear(), generator(0)), pictures)


@pytest.mark.parametrize("one", ["gamut", "brightness", "contrast", "blur_px", "noise", "jpeg"])
def test_each_change_is_seeded_and_does_something(one):
    wear = Wear(**{one: getattr(ALL, one)})

    def worn(seed):
        draw = generator(seed)
        laid = wear_patch(noise(3, 16, 16), 4, wear, draw)
        return wear_picture(laid, wear, draw)

    assert torch.equal(worn(1), worn(1))
    assert not torch.equal(worn(1), worn(2))
    assert (worn(1) - noise(3, 16, 16)).abs().max() > 1e-3
    assert worn(1).min() >= 0 and worn(1).max() <= 1


def test_the_gradient_goes_through_all_of_them():
    pixels = noise(3, 16, 16).requires_grad_()
    draw = generator(5)
    shown = wear_picture(wear_patch(pixels, 3, ALL, draw), ALL, draw)
    (gradient,) = torch.autograd.grad(shown.sum(), pixels)
    assert torch.isfinite(gradient).all() and gradient.abs().min() > 0


def test_blur_keeps_the_mean_and_flattens():
    pictures = noise(2, 3, 32, 32)
    out = wear_picture(pictures, Wear(blur_px=(1.0, 2.0)), generator(0))
    assert out.mean() == pytest.approx(float(pictures.mean()), abs=0.01)
    assert out.std() < 0.5 * pictures.std()


def test_jpeg_is_close_at_high_quality_and_coarse_at_low():
    pictures = noise(2, 3, 32, 32)
    near, far = ((jpeg(pictures, [quality] * 2) - pictures).abs().mean() for quality in (95, 10))
    assert near < far


def test_straight_through_shows_one_and_differentiates_the_other():
    value = noise(4).requires_grad_()
    out = straight_through(value * 3, torch.zeros(4))
    assert torch.allclose(out, torch.zeros(4), atol=1e-6)
    assert torch.equal(torch.autograd.grad(out.sum(), value)[0], torch.full((4,), 3.0))
    levels = to_levels(noise(3, 4, 4)) * 255
    assert torch.allclose(levels, levels.round(), atol=1e-4)


def test_print_greys_colours_and_leaves_order():
    primaries = torch.eye(3).view(3, 3, 1, 1)
    inked = printed(primaries, torch.ones(3))
    assert torch.equal(printed(primaries, torch.zeros(3)), primaries)
    assert (inked.amax(1) < 0.85).all() and (inked.amin(1) > 0.05).all()
    assert torch.equal(inked.argmax(1), primaries.argmax(1))


def test_targeted_loss_is_the_mean_cross_entropy_per_token():
    likely, counts = torch.tensor([[-1.0, -3.0], [0.0, -2.0]]), torch.tensor([[True, True], [False, True]])
    assert float(towards(likely, counts)) == pytest.approx(2.0)


def test_untargeted_loss_is_of_the_whole_answer_and_lets_the_lost_alone():
    likely = torch.tensor([[-0.1, -0.2], [-20.0, -5.0]], requires_grad=True)
    loss = away(likely, torch.ones(2, 2, dtype=torch.bool))
    (gradient,) = torch.autograd.grad(loss, likely)
    assert gradient.tolist() == [[0.5, 0.5], [0.0, 0.0]]
    assert float(loss) == pytest.approx((-0.3 - 12.0) / 2)


def test_total_variation_and_printability():
    flat, mask = torch.full((3, 8, 8), 0.5), torch.ones(8, 8)
    stripes = flat.clone()
    stripes[:, :, ::2] = 0
    assert float(total_variation(flat, mask)) == 0
    assert float(total_variation(stripes, mask)) == pytest.approx(0.5 * 7 / 8)
    assert float(total_variation(stripes, torch.zeros(8, 8))) == 0
    neon = torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1).expand(3, 8, 8)
    assert float(non_printability(flat, mask)) < 1e-3 < float(non_printability(neon, mask))


def test_sign_steps_have_one_size():
    value = torch.nn.Parameter(torch.zeros(5))
    optimizer = SignMomentum([value], lr=0.1)
    (value * torch.tensor([5.0, -2.0, 0.01, -0.5, 3.0])).sum().backward()
    optimizer.step()
    assert value.tolist() == pytest.approx([-0.1, 0.1, -0.1, 0.1, -0.1])
    with pytest.raises(BadInput, match="use adam or sign"):
        make_optimizer("sgd", torch.nn.Linear(1, 1), 0.1)
