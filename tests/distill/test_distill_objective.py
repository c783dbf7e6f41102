"""Which losses run, what they add up to, what they are refused for; a student learns from each of them."""

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from nbhelpers.distill.objective import Objective
from nbhelpers.distill.outputs import Batch, Targets
from nbhelpers.distill.students import build_student, student_record
from nbhelpers.errors import BadInput
from nbhelpers.settings.sections import LossSettings

SIZE = 32


def batch(masks=False, scores=False, maps=(), classes=3):
    rng = np.random.default_rng(0)
    boxes = torch.tensor([[[4.0, 4, 20, 20], [15, 2, 30, 14]], [[2.0, 10, 15, 30], [0, 0, 0, 0]]])
    real = torch.tensor([[True, True], [True, False]])
    side = SIZE // 4
    return Batch(
        pixels=torch.from_numpy(rng.random((2, 3, SIZE, SIZE), dtype=np.float32)),
        targets=Targets(
            boxes=boxes,
            classes=torch.tensor([[0, 1], [2 % classes, 0]]),
            real=real,
            weights=real.float(),
            masks=torch.ones(2, 2, side, side) if masks else None,
            class_scores=torch.full((2, 2, classes), 0.3) if scores else None,
        ),
        teacher_maps={
            name: (torch.randn(2, channels, 4, 4), torch.ones(2, 1, 4, 4)) for name, channels in maps
        },
    )


@cache
def built(name):
    return build_student(name, ["a", "b", "c"], image_size=SIZE)


def student(name="yolov8"):
    return copy.deepcopy(built(name)).train()


def weights(**given):
    return LossSettings(**{"detection": 0, "segmentation": 0, **given})


def test_parts_add_up_to_the_loss_and_carry_their_weights():
    torch.manual_seed(0)
    maps = (("sam", 6), ("grounding_dino", 5))
    given = batch(masks=True, scores=True, maps=maps)
    settings = LossSettings(detection=1, segmentation=1, feature=1, logit=1)
    objective = Objective(student("yolov8_seg"), settings, dict(maps))
    found = objective(given)
    assert found.keys() == {"loss", "box", "class", "dfl", "bce", "dice", "feature", "logit"}
    assert objective.running == {"detection", "segmentation", "feature", "logit"}
    total = sum(part.item() for name, part in found.items() if name != "loss")
    assert found["loss"].item() == pytest.approx(total, rel=1e-5)
    objective.settings = settings.model_copy(
        update={"detection": 2.0, "segmentation": 3.0, "feature": 5.0, "logit": 7.0}
    )
    again = objective(given)
    for names, factor in (("box class dfl", 2), ("bce dice", 3), ("feature", 5), ("logit", 7)):
        for name in names.split():
            assert again[name].item() == pytest.approx(factor * found[name].item(), rel=1e-3), name


@pytest.mark.parametrize(
    ("name", "settings", "wanted"),
    [
        ("yolov8", LossSettings(), {"detection"}),  # a detector has no masks, whatever the settings say
        ("yolov8_seg", LossSettings(), {"detection", "segmentation"}),
        ("yolov8_seg", LossSettings(segmentation=0), {"detection"}),
        ("yolov8", weights(logit=1), {"logit"}),
        ("yolov8", weights(feature=0.5), {"feature"}),
    ],
)
def test_mode_and_settings_decide_which_losses_run(name, settings, wanted):
    assert Objective(student(name), settings, {"sam": 4}).running == wanted


def test_a_loss_with_weight_nought_costs_nothing(monkeypatch):
    made = student("yolov8_seg")
    objective = Objective(made, LossSettings(segmentation=0), {"sam": 4})
    for name in ("segmentation_loss", "feature_loss", "logit_loss"):
        monkeypatch.setattr(f"nbhelpers.distill.objective.{name}", lambda *a: pytest.fail("was computed"))
    monkeypatch.setattr(type(objective.student), "mask_logits", lambda *a: pytest.fail("was computed"))
    assert not len(objective.heads)
    objective(batch(masks=True, scores=True, maps=(("sam", 4),)))
    features = Objective(made, weights(feature=1), {"sam": 4})
    monkeypatch.undo()
    monkeypatch.setattr(type(objective.student), "assign", lambda *a: pytest.fail("was computed"))
    assert features(batch(maps=(("sam", 4),))).keys() == {"loss", "feature"}


def test_what_cannot_run_is_refused_with_the_reason():
    with pytest.raises(BadInput, match=r"losses\.feature is above 0 but there are no feature maps"):
        Objective(student(), LossSettings(feature=1))
    with pytest.raises(BadInput, match=r"losses\.logit is above 0 but the student fastsam has one class"):
        Objective(student("fastsam"), LossSettings(logit=1))
    with pytest.raises(BadInput, match=r"none that the student yolov8 has is above 0"):
        Objective(student(), weights(segmentation=1))
    with pytest.raises(BadInput, match="no annotation has class_scores"):
        Objective(student(), LossSettings(logit=1))(batch())
    with pytest.raises(BadInput, match="no feature maps of sam; give the batches"):
        Objective(student(), LossSettings(feature=1), {"sam": 4})(batch(maps=(("grounding_dino", 4),)))


def test_heads_are_no_part_of_the_student_and_draw_nothing_from_outside():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    made = student()
    names = student_record(made)["weights"].keys()
    first = Objective(made, LossSettings(feature=1), {"sam": 4}, seed=1)
    second = Objective(made, LossSettings(feature=1), {"sam": 4}, seed=1)
    other = Objective(made, LossSettings(feature=1), {"sam": 4}, seed=2)
    assert torch.equal(before, torch.get_rng_state())
    head = [objective.heads["sam"][0].weight for objective in (first, second, other)]
    assert torch.equal(head[0], head[1])
    assert not torch.equal(head[0], head[2])
    assert head[0].shape == (4, first.student.feature_channels[0], 1, 1)
    assert len(first.heads["sam"]) == len(first.student.feature_channels) == 3
    assert student_record(made)["weights"].keys() == names
    assert not any("heads" in name for name in names)
    shared = {id(parameter) for parameter in made.parameters()}
    assert shared < {id(parameter) for parameter in first.parameters()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "part"),
    [(weights(feature=1), "feature"), (weights(logit=1), "logit"), (weights(detection=1), "box")],
)
def test_a_student_learns_from_each_loss_alone(settings, part):
    torch.manual_seed(0)
    maps = (("sam", 6),)
    given = batch(scores=True, maps=maps)
    scores = torch.tensor([0.9, 0.2, 0.05]).expand(2, 2, 3).clone()
    scores[1, 0] = float("nan")  # no teacher looked
    given = replace(given, targets=replace(given.targets, class_scores=scores))
    objective = Objective(student(), settings, dict(maps))
    optimizer = torch.optim.AdamW([p for p in objective.parameters() if p.requires_grad], lr=2e-3)
    seen = []
    for _ in range(16):
        found = objective(given)
        optimizer.zero_grad()
        found["loss"].backward()
        optimizer.step()
        seen.append(found[part].item())
    # An untrained detector matches nothing, so its loss rises from nought before it falls.
    assert seen[-1] < 0.75 * max(seen)


def test_a_batch_without_objects_or_anything_seen_gives_a_finite_loss():
    maps = (("sam", 6),)
    given = batch(masks=True, scores=True, maps=maps)
    none = replace(given.targets, real=torch.zeros(2, 2, dtype=torch.bool), weights=torch.zeros(2, 2))
    blind = {"sam": (torch.full((2, 6, 4, 4), float("nan")), torch.zeros(2, 1, 4, 4))}
    objective = Objective(student("yolov8_seg"), LossSettings(feature=1, logit=1), dict(maps))
    found = objective(replace(given, targets=none, teacher_maps=blind))
    found["loss"].backward()
    assert {name: found[name].item() for name in ("box", "bce", "dice", "feature", "logit")} == dict.fromkeys(
        ("box", "bce", "dice", "feature", "logit"), 0
    )
    assert found["class"].item() > 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in objective.parameters())
