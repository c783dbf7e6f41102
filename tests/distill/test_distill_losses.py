"""The student's losses: known answers, gradients, and batches with nothing, NaN or half precision in them."""

import math

import pytest
import torch
from torch import tensor

from nbhelpers.distill.losses import detection_loss, feature_loss, logit_loss, segmentation_loss
from nbhelpers.distill.outputs import Assignment, Outputs, Targets


def targets(boxes, weights=None, masks=None, scores=None):
    boxes = tensor(boxes, dtype=torch.float32)
    shape = boxes.shape[:2]
    return Targets(
        boxes=boxes,
        classes=torch.zeros(shape, dtype=torch.int64),
        real=torch.ones(shape, dtype=torch.bool),
        weights=torch.ones(shape) if weights is None else tensor(weights),
        masks=masks,
        class_scores=scores,
    )


def assignment(pairs, class_targets, weight=None, normalizer=1.0, class_weights=None):
    index = tensor(pairs, dtype=torch.int64).reshape(-1, 3)
    return Assignment(
        image=index[:, 0],
        place=index[:, 1],
        target=index[:, 2],
        weight=torch.ones(len(index)) if weight is None else tensor(weight),
        class_targets=class_targets,
        class_weights=class_weights,
        normalizer=tensor(normalizer),
    )


def outputs(boxes, logits):
    return Outputs(class_logits=logits, boxes=boxes, features=())


# --- detection
def test_the_box_term_is_generalized_iou_weighted_over_pairs():
    # IoU 1/3 in a hull of 30: GIoU 1/3; and two boxes that do not meet, hull 40, union 20: GIoU -1/2.
    wanted = targets([[[0, 0, 10, 2], [0, 0, 10, 1]]])
    found = tensor([[[5.0, 0, 15, 2], [0, 3, 10, 4], [0, 0, 10, 2]]])
    logits = torch.zeros(1, 3, 2)
    pairs = assignment([[0, 0, 0], [0, 1, 1]], torch.zeros(1, 3, 2), [1.0, 0.5], normalizer=2.0)
    loss = detection_loss(outputs(found, logits), wanted, pairs)
    assert loss["box"].item() == pytest.approx((1.0 * (1 - 1 / 3) + 0.5 * (1 + 0.5)) / 2, rel=1e-5)
    assert loss["class"].item() == pytest.approx(6 * math.log(2) / 2, rel=1e-6)


def test_the_class_term_takes_soft_targets_and_weights_of_predictions():
    wanted = torch.zeros(1, 2, 2)
    wanted[0, 0, 1] = 0.7
    logits = tensor([[[-2.0, 1.0], [0.5, -1.0]]])
    weights = tensor([[[1.0], [0.25]]])
    pairs = assignment([], wanted, normalizer=3.0, class_weights=weights)
    loss = detection_loss(outputs(torch.zeros(1, 2, 4), logits), targets([[[0, 0, 1, 1]]]), pairs)

    def cross(logit, target):
        p = 1 / (1 + math.exp(-logit))
        return -(target * math.log(p) + (1 - target) * math.log(1 - p))

    first = cross(-2.0, 0.0) + cross(1.0, 0.7)
    second = cross(0.5, 0.0) + cross(-1.0, 0.0)
    assert loss["class"].item() == pytest.approx((first + 0.25 * second) / 3, rel=1e-5)


def test_perfect_predictions_cost_nothing():
    boxes = [[[1.0, 2, 7, 9]]]
    logits = tensor([[[50.0, -50.0]]])
    pairs = assignment([[0, 0, 0]], tensor([[[1.0, 0.0]]]))
    loss = detection_loss(outputs(tensor(boxes), logits), targets(boxes), pairs)
    assert loss["box"].item() == pytest.approx(0, abs=1e-6)
    assert loss["class"].item() == pytest.approx(0, abs=1e-6)


def test_descending_the_box_term_moves_the_box_onto_its_object():
    wanted = targets([[[10.0, 10, 30, 40]]])
    pairs = assignment([[0, 0, 0]], torch.zeros(1, 1, 1))
    box = tensor([[[50.0, 60, 60, 70]]], requires_grad=True)  # far away: plain IoU would have no gradient
    optimizer = torch.optim.Adam([box], lr=1.0)
    for _ in range(300):
        optimizer.zero_grad()
        loss = detection_loss(outputs(box, torch.zeros(1, 1, 1)), wanted, pairs)["box"]
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_a_batch_without_objects_still_teaches_the_classes():
    box = torch.zeros(2, 3, 4, requires_grad=True)
    logits = torch.zeros(2, 3, 5, requires_grad=True)
    none = Targets(
        boxes=torch.zeros(2, 0, 4),
        classes=torch.zeros(2, 0, dtype=torch.int64),
        real=torch.zeros(2, 0, dtype=torch.bool),
        weights=torch.zeros(2, 0),
        masks=torch.zeros(2, 0, 4, 4),
    )
    pairs = assignment([], torch.zeros(2, 3, 5))
    loss = detection_loss(outputs(box, logits), none, pairs)
    assert loss["box"].item() == 0
    (loss["box"] + loss["class"]).backward()
    assert torch.equal(box.grad, torch.zeros(2, 3, 4))
    assert (logits.grad > 0).all()
    masks = torch.zeros(0, 4, 4, requires_grad=True)
    parts = segmentation_loss(masks, none, pairs)
    assert parts["bce"].item() == parts["dice"].item() == 0
    (parts["bce"] + parts["dice"]).backward()


def test_half_precision_outputs_are_lost_in_single():
    wanted = targets([[[0, 0, 300, 300]]])
    pairs = assignment([[0, 0, 0]], torch.ones(1, 1, 1))
    found = outputs(tensor([[[0.0, 0, 300, 298]]]).half(), tensor([[[9.0]]]).half())  # areas overflow fp16
    loss = detection_loss(found, wanted, pairs)
    assert loss["box"].dtype == loss["class"].dtype == torch.float32
    assert loss["box"].item() == pytest.approx(2 / 300, rel=1e-4)
    assert loss["class"].item() == pytest.approx(math.log1p(math.exp(-9)), rel=1e-2)


# --- segmentation
def square(size=8, left=2, right=6):
    mask = torch.zeros(size, size)
    mask[left:right, left:right] = 1
    return mask


def test_masks_count_inside_the_box_alone():
    masks = square()[None, None]
    wanted = targets([[[8.0, 8, 24, 24]]], masks=masks)  # 32 px input: the box is the mask's 2..6
    logits = torch.full((1, 8, 8), -1e4)
    logits[0, 2:6, 2:6] = 0.0
    loss = segmentation_loss(logits, wanted, assignment([[0, 0, 0]], torch.zeros(1, 1, 1)))
    assert loss["bce"].item() == pytest.approx(math.log(2), rel=1e-6)
    assert loss["dice"].item() == pytest.approx(1 - (2 * 8 + 1) / (8 + 16 + 1), rel=1e-6)
    outside = logits.clone()
    outside[0, 0, :] = 1e4  # wrong, but cut away when the mask is decoded
    again = segmentation_loss(outside, wanted, assignment([[0, 0, 0]], torch.zeros(1, 1, 1)))
    assert again == loss


def test_a_right_mask_costs_nothing():
    wanted = targets([[[4.0, 4, 28, 28]]], masks=square()[None, None])
    logits = (square() * 2 - 1)[None] * 40
    loss = segmentation_loss(logits, wanted, assignment([[0, 0, 0]], torch.zeros(1, 1, 1)))
    assert loss["bce"].item() == pytest.approx(0, abs=1e-6)
    assert loss["dice"].item() == pytest.approx(0, abs=1e-6)


def test_every_object_weighs_the_same_however_large_and_however_often_assigned():
    large, small = torch.ones(8, 8), torch.zeros(8, 8)
    small[0, 0] = 1
    wanted = targets([[[0.0, 0, 32, 32], [0, 0, 4, 4]]], masks=torch.stack([large, small])[None])
    logits = torch.stack([torch.zeros(8, 8), torch.zeros(8, 8), torch.full((8, 8), 50.0)])
    pairs = assignment([[0, 0, 0], [0, 1, 0], [0, 2, 1]], torch.zeros(1, 3, 1))
    assert segmentation_loss(logits, wanted, pairs)["bce"].item() == pytest.approx(math.log(2) / 2, rel=1e-6)
    unsure = targets([[[0.0, 0, 32, 32], [0, 0, 4, 4]]], [[0.3, 1.0]], torch.stack([large, small])[None])
    loss = segmentation_loss(logits, unsure, pairs)
    assert loss["bce"].item() == pytest.approx(0.3 * math.log(2) / 2, rel=1e-6)


def test_objects_smaller_than_a_mask_pixel_and_boxes_past_the_edge_count():
    masks = torch.ones(1, 2, 8, 8)
    wanted = targets([[[13.0, 13, 14, 14], [31.5, 31.5, 40, 40]]], masks=masks)
    logits = torch.zeros(2, 8, 8, requires_grad=True)
    loss = segmentation_loss(logits, wanted, assignment([[0, 0, 0], [0, 1, 1]], torch.zeros(1, 2, 1)))
    assert loss["bce"].item() == pytest.approx(math.log(2), rel=1e-6)
    loss["bce"].backward()
    assert logits.grad[0].nonzero().tolist() == [[3, 3]]
    assert logits.grad[1].nonzero().tolist() == [[7, 7]]


def test_logits_of_another_size_and_precision_are_brought_to_the_targets():
    wanted = targets([[[0.0, 0, 32, 32]]], masks=torch.ones(1, 1, 8, 8))
    pairs = assignment([[0, 0, 0]], torch.zeros(1, 1, 1))
    loss = segmentation_loss(torch.zeros(1, 16, 16).half(), wanted, pairs)
    assert loss["bce"].dtype == torch.float32
    assert loss["bce"].item() == pytest.approx(math.log(2), rel=1e-6)
    with pytest.raises(ValueError, match="no masks"):
        segmentation_loss(torch.zeros(1, 8, 8), targets([[[0.0, 0, 32, 32]]]), pairs)


# --- feature
def test_a_student_map_of_zeros_costs_one_and_the_normalised_map_nothing():
    generator = torch.Generator().manual_seed(0)
    scale = tensor([1.0, 100.0, 0.1])[None, :, None, None]
    teacher = torch.randn(2, 3, 6, 6, generator=generator) * scale + 7
    valid = torch.ones(2, 1, 6, 6)
    assert feature_loss(torch.zeros(2, 3, 6, 6), teacher, valid).item() == pytest.approx(1, rel=1e-3)
    mean = teacher.mean((0, 2, 3), keepdim=True)
    normal = (teacher - mean) / teacher.var((0, 2, 3), keepdim=True, correction=0).sqrt()
    assert feature_loss(normal, teacher, valid).item() == pytest.approx(0, abs=1e-4)
    rescaled = feature_loss(torch.zeros(2, 3, 6, 6), teacher * 5 - 3, valid)
    assert rescaled.item() == pytest.approx(1, rel=1e-3)


def test_only_valid_places_count_even_where_the_others_are_nan():
    teacher = torch.arange(16.0).reshape(1, 1, 4, 4)
    valid = torch.ones(1, 1, 4, 4)
    valid[..., 2:] = 0
    projected = torch.zeros(1, 1, 4, 4, requires_grad=True)
    clean = feature_loss(projected, teacher, valid)
    dirty = teacher.clone()
    dirty[..., 2:] = float("nan")
    loss = feature_loss(projected, dirty, valid)
    assert loss.item() == clean.item() == pytest.approx(1, rel=1e-5)
    loss.backward()
    assert projected.grad[..., :2].abs().min() > 0
    assert torch.equal(projected.grad[..., 2:], torch.zeros(1, 1, 4, 2))


def test_nothing_valid_costs_nothing():
    projected = torch.ones(1, 2, 4, 4, requires_grad=True)
    loss = feature_loss(projected, torch.randn(1, 2, 4, 4), torch.zeros(1, 1, 4, 4))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(projected.grad, torch.zeros(1, 2, 4, 4))


def test_a_map_that_shrinks_is_averaged_over_what_is_valid():
    teacher = torch.zeros(1, 1, 4, 4)
    teacher[0, 0, :2, :2] = tensor([[2.0, 4.0], [100.0, 100.0]])
    valid = torch.ones(1, 1, 4, 4)
    valid[0, 0, 1, :2] = 0  # the two hundreds
    from nbhelpers.distill.losses.feature import _resize

    values, weight = _resize(teacher, valid, torch.Size([2, 2]))
    assert values.tolist() == [[[[3.0, 0.0], [0.0, 0.0]]]]
    assert weight.tolist() == [[[[0.5, 1.0], [1.0, 1.0]]]]
    assert _resize(teacher, valid, torch.Size([8, 8]))[0].shape == (1, 1, 8, 8)


def test_a_channel_that_is_the_same_everywhere_is_no_noise():
    teacher = torch.full((1, 1, 4, 4), 0.1) + torch.rand(1, 1, 4, 4) * 1e-8
    loss = feature_loss(torch.zeros(1, 1, 4, 4), teacher, torch.ones(1, 1, 4, 4))
    assert loss.item() == 0


def test_half_precision_maps():
    teacher = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(1)) * 200
    projected = torch.zeros(1, 2, 4, 4).half()
    loss = feature_loss(projected, teacher.half(), torch.ones(1, 1, 4, 4))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(1, rel=1e-3)


# --- logit
def logit(p):
    return math.log(p / (1 - p))


def test_the_divergence_of_two_classes_written_out():
    scores, student, temperature = tensor([[0.8, 0.2]]), tensor([[0.5, -0.5]]), 2.0
    teacher_share = 1 / (1 + math.exp(-(logit(0.8) - logit(0.2)) / temperature))
    student_share = 1 / (1 + math.exp(-(0.5 + 0.5) / temperature))
    divergence = teacher_share * math.log(teacher_share / student_share)
    divergence += (1 - teacher_share) * math.log((1 - teacher_share) / (1 - student_share))
    found = logit_loss(student, scores, temperature)
    assert found.item() == pytest.approx(4 * divergence, rel=1e-5)


def test_a_student_that_ranks_as_the_teacher_costs_nothing_however_sure_it_is():
    scores = tensor([[0.6, 0.3, 0.05], [0.1, 0.9, 0.2]])
    student = scores.logit() - 3.0  # everywhere less sure by the same amount
    assert logit_loss(student, scores, 3.0).item() == pytest.approx(0, abs=1e-6)


def test_rows_that_no_teacher_scored_are_left_out_of_value_and_gradient():
    scores = tensor([[0.8, 0.2], [float("nan"), 0.5], [0.3, 0.6]])
    student = torch.zeros(3, 2, requires_grad=True)
    loss = logit_loss(student, scores, 2.0, tensor([1.0, 5.0, 2.0]))
    first, third = (logit_loss(torch.zeros(1, 2), scores[row : row + 1], 2.0) for row in (0, 2))
    assert loss.item() == pytest.approx((first.item() + 2 * third.item()) / 3, rel=1e-5)
    loss.backward()
    assert torch.equal(student.grad[1], torch.zeros(2))
    assert student.grad[0, 0] < 0 < student.grad[0, 1]  # descent raises what the teacher prefers


@pytest.mark.parametrize("scores", [torch.full((2, 3), float("nan")), torch.zeros(0, 3)])
def test_no_rows_cost_nothing(scores):
    student = torch.zeros(len(scores), 3, requires_grad=True)
    loss = logit_loss(student, scores, 2.0)
    loss.backward()
    assert loss.item() == 0
    assert not student.grad.any()


def test_scores_of_nought_and_one_stay_finite_in_half_precision():
    student = tensor([[4.0, -4.0]]).half().requires_grad_()
    loss = logit_loss(student, tensor([[1.0, 0.0]]), 1.0)
    loss.backward()
    assert loss.dtype == torch.float32
    assert math.isfinite(loss.item())
    assert student.grad.isfinite().all()


def test_the_size_of_the_gradient_hardly_depends_on_the_temperature():
    sizes = []
    for temperature in (4.0, 16.0):
        student = torch.zeros(1, 4, requires_grad=True)
        logit_loss(student, tensor([[0.9, 0.3, 0.2, 0.1]]), temperature).backward()
        sizes.append(student.grad.norm().item())
    assert sizes[1] == pytest.approx(sizes[0], rel=0.15)
