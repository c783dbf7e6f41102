"""The detector's loss: the class's own, with the proposals' own scores and boxes in their term."""

import numpy as np
import pytest
import torch

from nbhelpers.models.places import twin_folder
from nbhelpers.teach.grounding_dino.loss import decoder_loss, detection_loss, proposal_loss
from nbhelpers.teach.grounding_dino.prompt import prompt_of


@pytest.fixture(scope="module")
def processor():
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(twin_folder("tiny/grounding-dino"), local_files_only=True)


def build(kind):
    """The twin, or an MM Grounding DINO of its size with random weights."""
    from transformers import (
        AutoConfig,
        AutoModelForZeroShotObjectDetection,
        MMGroundingDinoConfig,
        MMGroundingDinoForObjectDetection,
    )

    folder = twin_folder("tiny/grounding-dino")
    if kind == "grounding-dino":
        return AutoModelForZeroShotObjectDetection.from_pretrained(folder, local_files_only=True)
    given = AutoConfig.from_pretrained(folder, local_files_only=True).to_dict()
    torch.manual_seed(0)
    return MMGroundingDinoForObjectDetection(MMGroundingDinoConfig(**{**given, "model_type": None}))


def batch_of(processor, labels):
    images = [
        np.random.default_rng(n).integers(0, 255, (128, 128, 3), dtype=np.uint8) for n in range(len(labels))
    ]
    text = [prompt_of(["box", "pallet_jack", "cone"])] * len(images)
    inputs = dict(processor(images=images, text=text, return_tensors="pt"))
    made = [
        {"class_labels": torch.tensor(places, dtype=torch.int64), "boxes": torch.tensor(boxes).reshape(-1, 4)}
        for places, boxes in labels
    ]
    return {"inputs": inputs, "labels": made}


TWO = [([1, 2], [[0.3, 0.3, 0.2, 0.2], [0.7, 0.6, 0.3, 0.4]]), ([], [])]


@pytest.mark.parametrize("kind", ["grounding-dino", "mm-grounding-dino"])
def test_the_proposals_learn_from_it_and_pictures_without_objects_go_along(processor, kind):
    model = build(kind)
    model.train()
    with decoder_loss(model):
        found = detection_loss(model, batch_of(processor, TWO), model.config)
    assert found["weight"] == 2
    assert float(found["loss"].detach()) > float(found["proposals"]) > 0
    found["loss"].backward()
    head = model.model.encoder_output_bbox_embed.layers[-1].weight.grad
    assert head is not None and float(head.abs().sum()) > 0  # the class's own term leaves it without


def test_the_classes_own_term_says_nothing_of_the_picture(processor):
    """Why it is replaced: other pictures, other proposals, the same score term."""
    model = build("grounding-dino").eval()
    one, other = batch_of(processor, TWO[:1]), batch_of(processor, TWO[:1])
    other["inputs"]["pixel_values"] = torch.flip(one["inputs"]["pixel_values"], dims=[2, 3])
    with torch.no_grad():
        scores = [model(**b["inputs"], labels=b["labels"]).encoder_logits for b in (one, other)]
    assert torch.equal(scores[0], scores[1])


def test_only_pictures_without_objects_give_a_finite_loss(processor):
    model = build("grounding-dino")
    with decoder_loss(model):
        found = detection_loss(model, batch_of(processor, [([], []), ([], [])]), model.config)
    assert found["weight"] == 1
    assert bool(torch.isfinite(found["loss"]))


def test_the_loss_of_the_class_is_given_back(processor):
    model = build("grounding-dino").eval()
    batch = batch_of(processor, TWO)
    with torch.no_grad():
        before = model(**batch["inputs"], labels=batch["labels"]).loss
        with pytest.raises(KeyError), decoder_loss(model):
            inside = model(**batch["inputs"], labels=batch["labels"])
            assert not any(name.endswith("_enc") for name in inside.loss_dict)
            raise KeyError
        assert torch.equal(model(**batch["inputs"], labels=batch["labels"]).loss, before)


def test_perfect_proposals_cost_next_to_nothing(processor):
    from types import SimpleNamespace

    batch = batch_of(processor, TWO[:1])
    config = build("grounding-dino").config
    scores = torch.full((1, 40, 64), -12.0)
    scores[0, 5, [3, 4]] = 12.0  # [CLS] box . pallet jack . cone . [SEP]
    scores[0, 9, 6] = 12.0
    boxes = torch.full((1, 40, 4), 0.5)
    boxes[0, [5, 9]] = batch["labels"][0]["boxes"]
    outputs = SimpleNamespace(enc_outputs_class=scores, enc_outputs_coord_logits=torch.logit(boxes))
    assert float(proposal_loss(outputs, batch, config)) < 1e-3
    swapped = {**batch, "labels": [{**batch["labels"][0], "class_labels": torch.tensor([2, 1])}]}
    assert float(proposal_loss(outputs, swapped, config)) > 1
