"""Every family that takes images: the gradient down to the picture, the same text as generate is given."""

import numpy as np
import pytest
import torch
from attack_models import FAMILIES, SIDES, twin, victim_of

from nbhelpers.attack import Victim
from nbhelpers.errors import BadInput

QUESTIONS = ["what is the red box on?", "where does the worker take the crate?"]
ANSWERS = ["the shelf", "to the blue table"]


def pictures(side, count=2, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return 0.3 + 0.4 * torch.rand((count, 3, side, side), generator=draw, dtype=torch.float64)


def loss_of(victim, shown):
    likely, counts = victim.log_likelihood(shown, QUESTIONS, ANSWERS, "off")
    return -(likely.sum(1) / counts.sum(1)).mean()


@pytest.mark.parametrize("model_type", FAMILIES)
def test_autograd_agrees_with_finite_differences(model_type):
    """Along random directions, within a hundredth; the loss itself is float32, the model float64."""
    victim, shown = Victim(victim_of(model_type)), pictures(SIDES[model_type]).requires_grad_()
    (gradient,) = torch.autograd.grad(loss_of(victim, shown), shown)
    assert gradient.abs().max() > 0
    for seed in range(3):
        draw = torch.Generator().manual_seed(seed)
        direction = torch.randn(shown.shape, generator=draw, dtype=torch.float64)
        direction = direction / direction.norm() + gradient / gradient.norm()
        step = 1e-3
        with torch.no_grad():
            up, down = loss_of(victim, shown + step * direction), loss_of(victim, shown - step * direction)
        by_difference = float(up - down) / (2 * step)
        by_autograd = float((gradient * direction).sum())
        assert by_autograd == pytest.approx(by_difference, rel=1e-2)


@pytest.mark.parametrize("model_type", FAMILIES)
def test_the_forced_text_is_the_one_generate_reads(model_type):
    """Log-likelihoods of a batch equal those computed from the stock processor's own inputs, one by one."""
    victim, side = Victim(victim_of(model_type)), SIDES[model_type]
    eight = (pictures(side) * 255).round() / 255
    likely, counts = victim.log_likelihood(eight, QUESTIONS, ANSWERS, "processor")
    for row, (question, answer) in enumerate(zip(QUESTIONS, ANSWERS, strict=True)):
        image = (eight[row] * 255).round().to(torch.uint8)
        inputs = victim._placed(victim._questions([question], [image]))
        targets = victim._row(question, answer, side)["targets"]
        scores = []
        for token in targets.tolist():  # one token at a time, as greedy decoding goes
            with torch.no_grad():
                logits = victim.model(**inputs, use_cache=False).logits[0, -1].float()
            scores.append(float(logits.log_softmax(-1)[token]))
            inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([[token]])], dim=1)
            for name, fill in (("attention_mask", 1), ("mm_token_type_ids", 0)):
                if name in inputs:
                    inputs[name] = torch.cat([inputs[name], torch.tensor([[fill]])], dim=1)
            if "token_type_ids" in inputs:
                fill = int(model_type == "paligemma")
                inputs["token_type_ids"] = torch.cat(
                    [inputs["token_type_ids"], torch.tensor([[fill]])], dim=1
                )
        found = likely[row][counts[row]].tolist()
        assert found == pytest.approx(scores, abs=2e-3)


@pytest.mark.parametrize("model_type", FAMILIES)
def test_it_answers_eight_bit_pictures(model_type):
    victim = Victim(victim_of(model_type, dtype=torch.float32), new_tokens=3, batch=2)
    eight = [np.full((SIDES[model_type],) * 2 + (3,), level, np.uint8) for level in (0, 99, 200)]
    said = victim.answers(eight, ["what is it?", "what?", "where is the red box?"])
    assert len(said) == 3 and all(isinstance(text, str) for text in said)
    assert said == [victim.answers([one], [text])[0] for one, text in
                    zip(eight, ["what is it?", "what?", "where is the red box?"], strict=True)]  # fmt: skip


@pytest.mark.parametrize("eight_bit", ["round", "processor"])
def test_straight_through_sees_eight_bits_and_keeps_the_gradient(eight_bit):
    victim = Victim(twin())
    shown = pictures(64).float().requires_grad_()
    made = victim.pixels(shown, eight_bit)["pixel_values"]
    levels = (shown.detach() * 255).round().to(torch.uint8)
    assert torch.allclose(made, victim._processed(levels)["pixel_values"], atol=1e-6)
    (gradient,) = torch.autograd.grad(made.sum(), shown)
    assert torch.allclose(gradient, torch.full_like(gradient, 2.0))  # (x - 0.5) / 0.5


def test_a_text_only_family_is_refused_with_the_reason():
    from nbhelpers.models import load

    loaded = load("tiny/qwen2.5-coder", device="cpu")
    with pytest.raises(BadInput, match="task attack needs image as input, but this family takes text only"):
        Victim(loaded)


def test_the_twin_names_what_is_drawn_and_stays_as_it_is():
    from nbhelpers.data.stills import render_still

    victim = Victim(twin())
    before = victim.fingerprint()
    stills = [render_still(index, 64, 101) for index in range(20)]
    said = victim.answers([one.image for one in stills], ["What is the larger object?"] * 20)
    assert sum(a == one.answer("larger") for a, one in zip(said, stills, strict=True)) >= 18
    shown = pictures(64).float().requires_grad_()
    victim.log_likelihood(shown, QUESTIONS, ANSWERS)[0].sum().backward()
    assert victim.fingerprint() == before
    victim.model.lm_head.weight.data[0, 0] += 1
    assert victim.fingerprint() != before
    victim.model.lm_head.weight.data[0, 0] -= 1
