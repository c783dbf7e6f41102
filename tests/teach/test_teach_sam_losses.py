"""Losses of SAM's mask decoder against known answers."""

import math

import pytest
import torch

from nbhelpers.teach.sam.losses import cross_entropy, dice, focal, mask_losses, true_iou

SIDE = 8


def half(value=1.0):
    """A target whose upper half is covered, (1, 8, 8)."""
    target = torch.zeros(1, SIDE, SIDE)
    target[:, : SIDE // 2] = value
    return target


def logits_of(target, strength=20.0):
    return (target * 2 - 1) * strength


def test_a_perfect_mask_costs_nothing():
    target = half()
    parts = mask_losses(logits_of(target), torch.ones(1), target, focal_weight=1.0)
    for name in ("loss", "bce", "dice", "focal", "iou"):
        assert parts[name].item() == pytest.approx(0, abs=1e-4)


def test_an_undecided_mask():
    target, logits = half(), torch.zeros(1, SIDE, SIDE)
    size = 32 + 64 / 32  # the object's area and a share of the picture
    assert cross_entropy(logits, target).item() == pytest.approx(64 * math.log(2) / size)
    assert dice(logits, target).item() == pytest.approx(1 - (2 * 16 + 1) / (32 + 32 + 1))
    expected = (32 * 0.25 + 32 * 0.75) * 0.25 * math.log(2) / size  # alpha 0.25, (1 - p)^2 = 1/4
    assert focal(logits, target).item() == pytest.approx(expected)


def test_a_mask_on_the_wrong_half():
    target = half()
    logits = logits_of(1 - target, 6.0)
    assert true_iou(logits, target).item() == 0
    assert dice(logits, target).item() == pytest.approx(1 - 1 / 65, abs=0.01)
    parts = mask_losses(logits, torch.tensor([0.5]), target)
    assert parts["iou"].item() == pytest.approx(0.25)
    assert parts["loss"].item() == pytest.approx(sum(parts[n].item() for n in ("bce", "dice", "iou")))
    assert "focal" not in parts


def test_overlap_of_known_masks():
    target = half()
    logits = torch.full((1, SIDE, SIDE), -1.0)
    logits[:, 2:6] = 1.0
    assert true_iou(logits, target).item() == pytest.approx(16 / 48)
    assert true_iou(torch.full_like(target, -1.0), torch.zeros_like(target)).item() == 0


def test_what_lies_outside_the_picture_does_not_count():
    target, valid = half(), torch.ones(1, SIDE, SIDE)
    valid[:, :, 5:] = 0
    target = target * valid
    logits = logits_of(target)
    wrong = logits.clone()
    wrong[:, :, 5:] = 9.0
    for loss in (cross_entropy, dice, focal, true_iou):
        assert torch.equal(loss(wrong, target, valid), loss(logits, target, valid))
    assert cross_entropy(wrong, target) > 1 and true_iou(wrong, target) < 0.7


def test_every_mask_weighs_the_same_and_small_ones_as_much_as_large():
    target = torch.zeros(2, 64, 64)
    target[0, :32] = 1
    target[1, :8, :8] = 1
    per_mask = cross_entropy(torch.where(target > 0, -2.0, -9.0), target)
    assert per_mask[1] / per_mask[0] > 0.3  # a fiftieth of the area
    parts = mask_losses(torch.zeros(2, 64, 64), torch.zeros(2), target)
    assert parts["bce"] == cross_entropy(torch.zeros(2, 64, 64), target).mean()


def test_the_truth_of_the_predicted_overlap_is_no_way_to_a_lower_loss():
    """The squared error of the IoU teaches the head that predicts it, not the masks."""
    logits = torch.zeros(1, SIDE, SIDE, requires_grad=True)
    iou = torch.zeros(1, requires_grad=True)
    parts = mask_losses(logits, iou, half())
    (parts["loss"] - cross_entropy(logits, half()).mean() - dice(logits, half()).mean()).backward()
    assert logits.grad.abs().max() < 1e-6
    assert not parts["bce"].requires_grad and iou.grad is not None
