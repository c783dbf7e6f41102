"""Teachers who are often wrong about a class: what they may teach; how often people's labels are seen."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_shapes import draw_set  # type: ignore[import-not-found]
from label_fakes import FakeTeachers, write_pictures

from nbhelpers.data import load_coco
from nbhelpers.distill.batches import student_batches
from nbhelpers.distill.batches.order import Order
from nbhelpers.distill.losses import detection_loss
from nbhelpers.distill.mixing import mix
from nbhelpers.distill.outputs import Assignment, Outputs, Targets
from nbhelpers.distill.pseudo_labels import label_images
from nbhelpers.teach.grounded_sam.thresholds import Choice

PEOPLE = np.array([True, False, False, True, False, False, False, False])


# --- the order
def test_any_stretch_holds_the_share_and_each_kind_takes_turns():
    order = Order(PEOPLE, 0.5, seed=3)
    shown = [order.first(number) for number in range(24)]
    assert [bool(PEOPLE[index]) for index in shown] == [False, True] * 12
    assert all(sorted(shown[1 + 4 * k : 5 + 4 * k : 2]) == [0, 3] for k in range(6))
    assert sorted(shown[0:12:2]) == [1, 2, 4, 5, 6, 7] == sorted(shown[12:24:2])
    quarter = [PEOPLE[Order(PEOPLE, 0.25, seed=3).first(number)] for number in range(400)]
    assert sum(quarter) == 100 and all(sum(quarter[k : k + 4]) == 1 for k in range(0, 400, 4))


def test_an_order_is_a_function_of_the_number():
    order, other = Order(PEOPLE, 0.3, seed=1), Order(PEOPLE, 0.3, seed=1)
    forward = [order.first(number) for number in range(40)]
    assert [other.first(number) for number in reversed(range(40))] == forward[::-1]
    assert [Order(PEOPLE, 0.3, seed=2).first(number) for number in range(40)] != forward


@pytest.mark.parametrize("people", [np.ones(5, bool), np.zeros(5, bool)])
def test_pictures_of_one_kind_all_take_turns(people):
    order = Order(people, 0.5, seed=0)
    assert sorted(order.first(number) for number in range(5)) == list(range(5))
    assert set(order.others(np.random.default_rng(0), 200)) == set(range(5))


def test_mosaics_hold_the_share_too():
    others = Order(PEOPLE, 0.5, seed=0).others(np.random.default_rng(0), 4000)
    assert np.mean(PEOPLE[others]) == pytest.approx(0.5, abs=0.03)


# --- mixing
class DoubtedTeachers(FakeTeachers):
    """Validation found their cones wrong."""

    choices = (
        Choice("box", 0.25, 0.9, 0.8, 0.85, 10, "best F1 on validation"),
        Choice("cone", 0.25, 0.2, 0.1, 0.13, 10, "best F1 on validation"),
    )


@pytest.fixture
def labelled(tmp_path):
    """(people's labels of one picture, the doubted teachers' labels of all)."""
    folder = write_pictures(tmp_path / "images", 8)
    pseudo = label_images(DoubtedTeachers(), folder, tmp_path / "out", say=lambda text: None).load()
    people = pseudo.subset(pseudo.image_ids[:1])
    own = [{k: v for k, v in one.items() if k not in ("source", "score")} for one in people.annotations]
    return replace(people, annotations=own), pseudo


def test_what_validation_said_travels_with_the_labels(labelled):
    assert labelled[1].info["validation_f1"] == {"box": 0.85, "cone": 0.13}


def test_a_doubted_class_is_neither_taken_nor_denied(labelled):
    people, pseudo = labelled
    mixed = mix(people, pseudo, min_f1=0.3, keep_empty=True)
    names = {entry["category_id"] for entry in mixed.annotations if entry["source"] == "teacher"}
    assert names == {1}, "cones of the teachers were taken"
    by_source = {image["source"]: image.get("not_exhaustive_category_ids") for image in mixed.images}
    assert by_source == {"people": None, "teacher": [2]}
    trusting = mix(people, pseudo, keep_empty=True)
    assert {entry["category_id"] for entry in trusting.annotations} == {1, 2}
    assert all(not image.get("not_exhaustive_category_ids") for image in trusting.images)


# --- batches and loss
@pytest.fixture
def doubted(tmp_path):
    """Drawn shapes; of the pictures after the first, blocks may be unlabelled."""
    coco = load_coco(draw_set(tmp_path / "set", 4, seed=7))
    unsure = {"source": "teacher", "not_exhaustive_category_ids": [4]}
    return replace(coco, images=[coco.images[0], *({**image, **unsure} for image in coco.images[1:])])


def test_batches_say_where_a_class_is_not_told(doubted):
    whole = student_batches(doubted, 96, 8, 0, epochs=4, masks=False, close_mosaic=1.0)(0)
    targets = whole.targets
    assert targets.regions.shape == (8, 1, 4) and targets.taught.shape == (8, 1, 2)
    for row, placements in enumerate(whole.placements):
        told = placements[0].image_id == doubted.images[0]["id"]
        assert targets.taught[row, 0].tolist() == ([1, 1] if told else [1, 0])
        region = torch.tensor(placements[0].region)
        assert torch.equal(targets.regions[row, 0], torch.zeros(4) if told else region)
    mosaic = student_batches(doubted, 96, 8, 0, epochs=4, masks=False, close_mosaic=0.0)(0).targets
    assert mosaic.regions.shape[1] > 1
    plain = student_batches(doubted.subset([10]), 96, 2, 0, epochs=4, masks=False)(0).targets
    assert plain.regions is None and plain.taught is None


def test_half_of_the_inputs_show_what_people_labelled(doubted):
    batch = student_batches(doubted, 96, 40, 0, epochs=4, masks=False, close_mosaic=1.0, people_share=0.5)(0)
    shown = [placements[0].image_id for placements in batch.placements]
    assert shown.count(doubted.images[0]["id"]) == 20


def test_predictions_are_not_punished_where_nothing_is_told():
    """Class 1 is not told in the left half: there its logits get a gradient only from a labelled object."""
    boxes = torch.tensor([[[0.0, 0, 20, 20], [60, 0, 80, 20], [10, 30, 30, 50]]])
    logits = torch.zeros(1, 3, 2, requires_grad=True)
    targets = Targets(
        boxes=torch.zeros(1, 0, 4),
        classes=torch.zeros(1, 0, dtype=torch.int64),
        real=torch.zeros(1, 0, dtype=torch.bool),
        weights=torch.zeros(1, 0),
        regions=torch.tensor([[[0.0, 0, 50, 100], [0, 0, 0, 0]]]),
        taught=torch.tensor([[[1.0, 0.0], [1, 1]]]),
    )
    wanted = torch.zeros(1, 3, 2)
    wanted[0, 2, 1] = 1.0
    none = torch.zeros(0, dtype=torch.int64)
    pairs = Assignment(none, none, none, torch.zeros(0), wanted, None, torch.tensor(1.0))
    detection_loss(Outputs(logits, boxes, ()), targets, pairs)["class"].backward()
    assert logits.grad is not None
    assert logits.grad[0].tolist() == [[0.5, 0.0], [0.5, 0.5], [0.5, -0.5]]
