"""Steps summed up as epochs, what there is to learn from counted, and which parameters decay."""

from dataclasses import replace

import pytest
import torch

from nbhelpers.distill.history import epoch_rows
from nbhelpers.distill.learnt import learnt_from
from nbhelpers.distill.links import link_images
from nbhelpers.distill.optimizer import make_optimizer
from nbhelpers.errors import BadInput


def step(number, box):
    return {"step": number, "loss": 9.0, "lr": 1 / number, "grad_norm": 1.0, "seconds": 0.5, "box": box}


def test_epochs_are_means_over_their_steps():
    records = [step(1, 4.0), step(2, 2.0), {"step": 2, "scores": {"box_ap": 0.3}}, step(3, 1.0), step(4, 3.0)]
    rows = epoch_rows(records, images=8, batch=4, epochs=2, score_names=["box_ap"])
    assert rows == [
        {"epoch": 1, "seconds": 1.0, "box_ap": 0.3, "lr": 0.5, "train_box": 3.0},
        {"epoch": 2, "seconds": 2.0, "box_ap": None, "lr": 0.25, "train_box": 2.0},
    ]


@pytest.mark.parametrize(
    ("images", "batch", "epochs", "steps", "expected"),
    [
        (5, 3, 2, 4, [1, 2]),  # the last step reaches beyond the last epoch
        (2, 6, 9, 3, [3, 6, 9]),  # a step is three epochs
        (10, 4, 3, 3, [1, 2]),  # cut short within the second
    ],
)
def test_an_epoch_need_not_end_with_a_step(images, batch, epochs, steps, expected):
    rows = epoch_rows([step(n + 1, 1.0) for n in range(steps)], images, batch, epochs, [])
    assert [row["epoch"] for row in rows] == expected
    assert rows[-1]["seconds"] == 0.5 * steps


def test_what_is_learnt_from_is_counted(shapes):
    train, _ = shapes
    first, second, third, *rest = train.annotations
    changed = [
        {**first, "iscrowd": 1},
        {**second, "segmentation": []},
        {**third, "source": "teacher"},
        *[entry for entry in rest if entry["image_id"] != train.image_ids[-1]],
    ]
    counts = learnt_from(replace(train, annotations=changed), "train", masks=True)
    assert (counts.images, counts.objects, counts.crowds) == (8, 13, 1)
    assert (counts.empty_images, counts.boxes_as_masks, counts.teachers) == (1, 1, 1)
    assert learnt_from(replace(train, annotations=changed), "train", masks=False).boxes_as_masks == 0


def test_crowds_alone_are_nothing_to_learn_from(shapes):
    train, _ = shapes
    crowds = [{**entry, "iscrowd": 1} for entry in train.annotations]
    with pytest.raises(BadInput, match="the val part has no objects"):
        learnt_from(replace(train, annotations=crowds), "val", masks=True)


def test_norms_and_biases_do_not_decay():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
    model[2].weight.requires_grad_(False)
    decays, stays = make_optimizer(model, 0.1, 0.05).param_groups
    assert decays["weight_decay"] == 0.05 and stays["weight_decay"] == 0.0
    assert [id(p) for p in decays["params"]] == [id(model[0].weight)]
    expected = [model[0].bias, model[1].weight, model[1].bias, model[2].bias]
    assert [id(p) for p in stays["params"]] == [id(p) for p in expected]


def test_training_images_are_linked_and_old_links_go(shapes, tmp_path):
    train, _ = shapes
    folder = link_images(train, tmp_path)
    assert len(list(folder.iterdir())) == 8
    again = link_images(train.subset(train.image_ids[:2]), tmp_path)
    links = sorted(again.iterdir())
    assert [link.read_bytes() for link in links] == [
        train.image_path(number).read_bytes() for number in train.image_ids[:2]
    ]
