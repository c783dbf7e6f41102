"""YOLO in training: what it predicts, assigns and loses is what ultralytics' own loss computes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from nbhelpers.distill import build_student
from nbhelpers.distill.outputs import Targets
from nbhelpers.distill.students import STUDENTS, TrainableNetwork

SIZE = 64


def trainable(name="yolov8_seg", classes=3):
    student = build_student(name, [f"class {i}" for i in range(classes)], image_size=SIZE, seed=1)
    network = student.family.trainable(student.network)
    return student, network.train()


def some_pixels(count=2):
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def some_targets(weights=None):
    boxes = torch.tensor([[[4.0, 4, 40, 40], [10, 20, 30, 60]], [[0, 0, 64, 64], [0, 0, 0, 0]]])
    real = torch.tensor([[True, True], [True, False]])
    return Targets(boxes, torch.tensor([[0, 2], [1, 0]]), real, real.float() if weights is None else weights)


def no_targets(padding):
    shape = (2, padding)
    return Targets(
        torch.zeros(*shape, 4), torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.bool),
        torch.zeros(shape),
    )  # fmt: skip


@pytest.mark.parametrize("name", list(STUDENTS))
def test_every_family_offers_what_the_loop_needs(name):
    student = build_student(name, ["a", "b"], image_size=SIZE)
    network = student.family.trainable(student.network)
    assert isinstance(network, TrainableNetwork) and isinstance(network, torch.nn.Module)
    assert set(student.state_dict()) == {f"network.{key}" for key in student.network.state_dict()}
    assert {p.data_ptr() for p in network.parameters()} == {p.data_ptr() for p in student.parameters()}
    assert {"box", "class"} <= set(network.gains)
    assert (student.task == "segment") == ({"bce", "dice"} <= set(network.gains))


@pytest.mark.parametrize("name", ["yolov8", "yolov8_seg"])
def test_losses_are_those_of_ultralytics(name):
    from ultralytics.utils.loss import v8DetectionLoss

    student, network = trainable(name)
    pixels, targets = some_pixels(), some_targets()
    outputs = network.train_outputs(pixels)
    assigned = network.assign(outputs, targets)
    cross = binary_cross_entropy_with_logits(outputs.class_logits, assigned.class_targets, reduction="sum")
    student.network.args = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5, overlap_mask=False)
    boxes = targets.boxes[targets.real] / SIZE
    batch = {
        "batch_idx": torch.tensor([0.0, 0.0, 1.0]),
        "cls": targets.classes[targets.real].float(),
        "bboxes": torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1),
    }
    theirs = v8DetectionLoss(student.network).loss(student.network(pixels), batch)[1]
    ours = network.gains["class"] * cross / assigned.normalizer
    assert float(ours.detach()) == pytest.approx(float(theirs["cls_loss"]), rel=1e-5)
    dfl = network.box_terms(outputs, targets, assigned)["dfl"]
    assert float(dfl.detach()) == pytest.approx(float(theirs["dfl_loss"]), rel=1e-5)


def test_boxes_and_scores_are_those_of_the_deployed_network():
    student, network = trainable()
    network.train_outputs(some_pixels())  # moves BatchNorm's statistics once
    for module in student.network.modules():  # training outputs with the statistics of deployment
        module.training = not isinstance(module, torch.nn.BatchNorm2d)
    outputs = network.train_outputs(some_pixels())
    with torch.inference_mode():
        raw, prototypes = student.eval()(some_pixels())
    centre, sides = raw[:, :2], raw[:, 2:4]
    boxes = torch.cat([centre - sides / 2, centre + sides / 2], 1).permute(0, 2, 1)
    torch.testing.assert_close(outputs.boxes, boxes, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(outputs.class_logits.sigmoid(), raw[:, 4:7].permute(0, 2, 1))
    torch.testing.assert_close(outputs.own.prototypes, prototypes)


def test_mask_logits_are_prototypes_times_coefficients():
    _, network = trainable()
    outputs = network.train_outputs(some_pixels())
    assigned = network.assign(outputs, some_targets())
    logits = network.mask_logits(outputs, assigned)
    assert logits.shape == (len(assigned.image), SIZE // 4, SIZE // 4)
    for pair in (0, len(logits) - 1):
        image, place = assigned.image[pair], assigned.place[pair]
        wanted = torch.einsum(
            "k,khw->hw", outputs.own.coefficients[image, place], outputs.own.prototypes[image]
        )
        torch.testing.assert_close(logits[pair], wanted, rtol=1e-4, atol=1e-5)


def test_a_weight_scales_what_an_object_counts_for():
    _, network = trainable()
    outputs = network.train_outputs(some_pixels())
    full = network.assign(outputs, some_targets())
    half = network.assign(outputs, some_targets(torch.tensor([[0.5, 1.0], [1.0, 0.0]])))
    first = (full.image == 0) & (full.target == 0)
    assert first.any() and not first.all()
    torch.testing.assert_close(half.weight, torch.where(first, full.weight / 2, full.weight))
    assert float(half.weight.sum()) == pytest.approx(float(half.normalizer))
    assert torch.equal(full.place, half.place)
    # Half as much of the loss, but not half the score: a doubtful object is not a faint one.
    torch.testing.assert_close(half.class_targets, full.class_targets)
    counts = half.class_weights[half.image, half.place, 0]
    torch.testing.assert_close(counts, torch.where(first, 0.5, 1.0))
    assert int((half.class_weights != 1).sum()) == int(first.sum())


@pytest.mark.parametrize("padding", [0, 2])
def test_images_without_objects_leave_only_the_background_to_learn(padding):
    _, network = trainable()
    outputs = network.train_outputs(some_pixels())
    assigned = network.assign(outputs, no_targets(padding))
    assert len(assigned.image) == 0 and float(assigned.normalizer) == 1
    assert not assigned.class_targets.any()
    terms = network.box_terms(outputs, no_targets(padding), assigned)
    assert float(terms["dfl"].detach()) == 0 and terms["dfl"].requires_grad
    assert network.mask_logits(outputs, assigned).shape == (0, SIZE // 4, SIZE // 4)


def test_features_are_the_necks_finest_first():
    _, network = trainable()
    maps = network.train_outputs(some_pixels()).features
    assert [tuple(m.shape[2:]) for m in maps] == [(8, 8), (4, 4), (2, 2)]
    assert tuple(m.shape[1] for m in maps) == network.feature_channels == (64, 128, 256)


def test_outputs_of_a_network_in_eval_mode_are_refused():
    _, network = trainable()
    with pytest.raises(RuntimeError, match="eval mode"):
        network.eval().train_outputs(some_pixels())


def test_gradients_reach_every_parameter():
    student, network = trainable()
    outputs = network.train_outputs(some_pixels())
    targets = some_targets()
    assigned = network.assign(outputs, targets)
    loss = outputs.boxes.mean() + outputs.class_logits.mean()
    loss = loss + network.mask_logits(outputs, assigned).mean()
    loss.backward()
    still = [n for n, p in student.named_parameters() if p.grad is None and "dfl" not in n]
    assert still == []
    assert np.isfinite(sum(float(p.grad.abs().sum()) for p in student.parameters() if p.grad is not None))


def test_in_bfloat16_boxes_and_masks_are_still_computed_in_float32():
    _, network = trainable()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network.train_outputs(some_pixels())
        logits = network.mask_logits(outputs, network.assign(outputs, some_targets()))
    own = outputs.own
    assert logits.dtype == outputs.boxes.dtype == outputs.class_logits.dtype == torch.float32
    expected = own.distances.softmax(-1) @ torch.arange(16.0)
    corner = (own.anchors - expected[..., :2]) * own.strides
    torch.testing.assert_close(outputs.boxes[..., :2], corner)
