"""LoRA on SAM's mask decoder: what is trained, what is left alone, resume, and what is refused."""

import dataclasses
import json
import shutil

import pytest
import torch
from sam_sets import drawn, loaded_twin, small_sam2

from nbhelpers.artifacts import read_json
from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.models import family_of, load, load_adapter, read_adapter, tensor_digests
from nbhelpers.settings.sections import SamSettings, TeachSection
from nbhelpers.teach.sam import tune_sam
from nbhelpers.teach.sam.batches import SamBatches
from nbhelpers.teach.sam.course import fit_settings


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    scenes = drawn(tmp_path_factory.mktemp("scenes"), 9)
    return scenes.subset(scenes.image_ids[:6]), scenes.subset(scenes.image_ids[6:])


def settings(max_minutes=10.0, **changes):
    given = {"r": 4, "alpha": 8, "steps": 6, "batch": 2, "validations": 3, "learning_rate": 3e-3, **changes}
    return TeachSection(segmenter=SamSettings(**given), max_minutes=max_minutes)


def tune(sets, folder, loaded=None, say=lambda _: None, **changes):
    return tune_sam(loaded or loaded_twin(), *sets, settings(**changes), folder, say)


def tensors(tuned):
    from safetensors.torch import load_file

    return load_file(tuned.adapter / "adapter_model.safetensors")


def same_adapter(a, b):
    first, second = tensors(a), tensors(b)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def tuned(sets, tmp_path_factory):
    """One training from beginning to end: (teacher, folder, lines said, runs of the encoder)."""
    folder, said, runs = tmp_path_factory.mktemp("tuned"), [], []
    hook = loaded_twin().model.vision_encoder.register_forward_hook(lambda *_: runs.append(1))
    try:
        return tune(sets, folder / "sam", say=said.append), folder / "sam", said, len(runs)
    finally:
        hook.remove()


def test_the_account(tuned, sets):
    teacher, folder, said, _ = tuned
    assert (teacher.name, teacher.base, teacher.stopped) == ("sam", "tiny/sam", "steps")
    assert teacher.roles == ("mask_decoder.attention",) and teacher.trainable == 4 * 23552 // 8
    assert teacher.steps == 6 and not teacher.resumed and not teacher.reused
    objects = len(sets[1].annotations)
    for scores in (teacher.before, teacher.after):
        score = scores["mask_iou"]
        assert 0 < score["low"] < score["value"] < score["high"] < 1 and score["n"] == objects
    assert len(teacher.seconds_per_epoch) == 2 and min(teacher.seconds_per_epoch) > 0
    assert teacher.predicted_bytes > 2**20 and teacher.peak_bytes > 2**20
    validations = [row for row in teacher.history if "scores" in row]
    assert [row["step"] for row in validations] == [2, 4, 6]
    assert {"bce", "dice", "iou", "loss"} <= teacher.history[0].keys()
    assert any("mean IoU" in line for line in said) and any("with the encoder" in line for line in said)
    assert list((folder / "training" / "tensorboard").iterdir())


def test_best_validation_is_kept(tuned):
    teacher = tuned[0]
    best = max(row["scores"]["mask_iou"] for row in teacher.history if "scores" in row)
    assert teacher.after["mask_iou"]["value"] == pytest.approx(best, abs=1e-9)


def test_only_the_mask_decoder_carries_an_adapter(tuned):
    names = tensors(tuned[0])
    assert names and all(".mask_decoder.transformer." in name and ".lora_" in name for name in names)
    assert any(value.abs().max() > 0 for name, value in names.items() if "lora_B" in name)
    record = read_adapter(tuned[0].adapter)
    assert record.parameters == tuned[0].trainable and record.roles == tuned[0].roles


def test_the_encoder_sees_each_image_once(tuned, sets):
    """Two epochs, four validations and the scores before and after: one run of the encoder per image."""
    assert tuned[3] == len(sets[0].images) + len(sets[1].images)


def test_the_adapter_on_a_fresh_model_scores_what_was_said(tuned, sets, tmp_path):
    from nbhelpers.teach.sam import EmbeddingCache, encoder_digest
    from nbhelpers.teach.sam.kept import KeptEmbeddings
    from nbhelpers.teach.sam.objects import pictures_of
    from nbhelpers.teach.sam.validation import score_boxes

    fresh = load("tiny/sam", device="cpu")
    model = load_adapter(fresh.model, tuned[0].adapter)
    cache = EmbeddingCache(tmp_path, 1, encoder_digest(model, fresh.processor))
    kept = KeptEmbeddings(sets[1], model, fresh.processor, cache)
    found = score_boxes(model, fresh.processor, pictures_of(sets[1]), kept)
    assert found.interval() == pytest.approx(tuned[0].after["mask_iou"])


def test_the_model_is_given_back_as_it_was(sets, tmp_path):
    loaded = load("tiny/sam", "tune", device="cpu")
    before = tensor_digests(loaded.model)
    flags = {name: p.requires_grad for name, p in loaded.model.named_parameters()}
    modes = {name: module.training for name, module in loaded.model.named_modules()}
    first = tune(sets, tmp_path / "a", loaded, steps=2)
    assert tensor_digests(loaded.model) == before
    assert {name: p.requires_grad for name, p in loaded.model.named_parameters()} == flags
    assert {name: module.training for name, module in loaded.model.named_modules()} == modes
    assert same_adapter(tune(sets, tmp_path / "b", loaded, steps=2), first)


def test_a_finished_training_is_taken_as_it_is(tuned, sets, monkeypatch):
    monkeypatch.setattr("nbhelpers.teach.sam.tuning._tune", lambda _: pytest.fail("trained again"))
    again = tune(sets, tuned[1])
    assert again.reused and dataclasses.replace(again, reused=False) == tuned[0]


def test_other_inputs_or_a_lost_adapter_train_anew(tuned, sets, tmp_path):
    folder, said = tmp_path / "sam", []
    shutil.copytree(tuned[1], folder)
    (folder / "adapter" / "adapter_model.safetensors").unlink()
    assert same_adapter(tune(sets, folder), tuned[0])
    other = tune(sets, folder, say=said.append, steps=4)
    assert other.steps == 4 and not other.reused and not other.resumed
    assert any("begins anew" in line for line in said)
    assert same_adapter(other, tune(sets, tmp_path / "fresh", steps=4))


def test_killed_in_the_middle_it_ends_in_the_same_bits(tuned, sets, tmp_path, monkeypatch):
    make = SamBatches.__call__

    def killed(self, number):
        if number == 3:
            raise KeyboardInterrupt
        return make(self, number)

    with monkeypatch.context() as patched:
        patched.setattr(SamBatches, "__call__", killed)
        with pytest.raises(KeyboardInterrupt):
            tune(sets, tmp_path / "sam")
    assert not any(".lora_" in name for name, _ in loaded_twin().model.named_parameters())
    assert not (tmp_path / "sam" / "training.json").exists()
    shutil.rmtree(tmp_path / "sam" / "embeddings")  # may go at any time
    again = tune(sets, tmp_path / "sam")
    assert again.resumed and again.steps == 6 and same_adapter(again, tuned[0])
    assert [row["loss"] for row in again.history if "loss" in row] == [
        row["loss"] for row in tuned[0].history if "loss" in row
    ]


def test_a_deadline_stops_it_cleanly_and_a_longer_one_goes_on(tuned, sets, tmp_path):
    cut = tune(sets, tmp_path / "sam", max_minutes=1e-5)
    assert cut.stopped == "deadline" and cut.steps < 6
    assert tune(sets, tmp_path / "sam", max_minutes=1e-5).reused
    whole = tune(sets, tmp_path / "sam")
    assert whole.stopped == "steps" and same_adapter(whole, tuned[0])


def test_a_bound_too_small_for_the_embeddings_costs_time_not_bits(tuned, sets, tmp_path):
    small = tune(sets, tmp_path / "sam", embeddings_gib=1.5e-4)  # two of nine
    assert same_adapter(small, tuned[0])


def test_half_precision(sets, tmp_path):
    loaded = load("tiny/sam", "tune", device="cpu", dtype="bfloat16")
    assert fit_settings(settings(), loaded).precision == "bf16"
    found = tune(sets, tmp_path / "sam", loaded, steps=4)
    assert found.after["mask_iou"]["value"] > 0.4
    assert all(value.dtype == torch.float32 for value in tensors(found).values())


def test_sam2_goes_the_same_way(sets, tmp_path):
    model, processor = small_sam2()
    loaded = dataclasses.replace(
        loaded_twin(),
        model=model,
        processor=processor,
        family=family_of(model.config),
        config=model.config,
        name="small-sam2",
        revision="sha256:1",
    )
    found = tune(sets, tmp_path / "sam", loaded, points=1, focal=2.0, steps=3)
    assert found.roles == ("mask_decoder.attention",) and found.base == "small-sam2"
    assert all(".mask_decoder.transformer." in name for name in tensors(found))
    assert "focal" in found.history[0] and found.steps == 3


def without_masks(coco, path):
    document = json.loads(json.dumps(coco.to_dict()))
    for annotation in document["annotations"]:
        del annotation["segmentation"]
    path.write_text(json.dumps(document))
    from nbhelpers.data import load_coco

    return load_coco(path, coco.path.parent / "images")


def test_a_detection_set_is_refused_before_anything_runs(sets, tmp_path):
    boxes_alone = without_masks(sets[0], tmp_path / "train.json")
    with pytest.raises(BadInput, match=r"train.json: annotation \d+ has a box and no segmentation"):
        tune((boxes_alone, sets[1]), tmp_path / "sam")


@pytest.mark.parametrize("roles", [("vision.attention",), ("mask_decoder.attention", "vision.mlp")])
def test_the_encoder_cannot_be_tuned(sets, tmp_path, roles):
    with pytest.raises(BadInput, match=r"vision\.\w+ lie outside the mask decoder"):
        tune(sets, tmp_path / "sam", roles=roles)


def test_another_family_is_refused(sets, tmp_path):
    other = dataclasses.replace(loaded_twin(), model=torch.nn.Linear(2, 2), name="some-detector")
    with pytest.raises(BadInput, match="some-detector: is a sam, no SAM"):
        tune(sets, tmp_path / "sam", other)


def test_a_loss_that_is_no_number_stops_it(sets, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "nbhelpers.teach.sam.decoder.mask_losses",
        lambda logits, *_: {"loss": logits.mean() * float("nan")},
    )
    with pytest.raises(CheckFailed, match="the loss is nan"):
        tune(sets, tmp_path / "sam")


def test_record_names_the_adapter_by_its_place(tuned):
    record = read_json(tuned[1] / "training.json")
    assert record["training"]["adapter"] == "adapter"


@pytest.mark.slow
def test_masks_of_scenes_it_learns_from_get_better(tmp_path):
    """Those of other scenes need not: the frozen encoder is what the twin's masks end at."""
    scenes = drawn(tmp_path / "scenes", 12, seed=8)
    found = tune((scenes, scenes), tmp_path / "sam", r=8, alpha=16, steps=80, batch=4, learning_rate=5e-3)
    losses = [row["loss"] for row in found.history if "loss" in row]
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    assert found.after["mask_iou"]["value"] > found.before["mask_iou"]["value"] + 0.01
