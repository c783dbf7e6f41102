"""Tuning the detector: it learns, resumes to the same bits, is known again, leaves the base alone."""

import json
from types import SimpleNamespace

import pytest
import torch

from nbhelpers.artifacts import read_json
from nbhelpers.data.scenes import draw_scenes
from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.models import load, load_adapter, read_adapter, tensor_digests
from nbhelpers.settings.sections import LoraSettings, TeachSection
from nbhelpers.teach.grounding_dino import tune_grounding_dino
from nbhelpers.teach.grounding_dino.job import choose_precision


def silent(line):
    pass


def settings(steps=6, **changes):
    lora = {"steps": steps, "batch": 4, "validations": 2, "learning_rate": 2e-3, "r": 8, "alpha": 16}
    given = {"tensorboard": False, **changes}
    return TeachSection(detector=LoraSettings(**{**lora, **given.pop("detector", {})}), **given)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def quick(monkeypatch):
    """Without the dry run of each training: it takes seconds, and one training here makes it."""
    from nbhelpers.teach.grounding_dino import footprint

    monkeypatch.setattr(footprint, "predict_step", lambda *given: 1)


@pytest.fixture(scope="module")
def loaded():
    return load("tiny/grounding-dino", task="tune", device="cpu")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return draw_scenes(tmp_path_factory.mktemp("scenes"), 16, (96, 96), 11, "shifted")


@pytest.fixture(scope="module")
def parts(scenes):
    return scenes.subset(scenes.image_ids[:8]), scenes.subset(scenes.image_ids[8:])


@pytest.fixture(scope="module")
def tuned(loaded, parts, tmp_path_factory):
    """One short training, with the digests of the base before it."""
    before, folder = tensor_digests(loaded.model), tmp_path_factory.mktemp("tuned") / "dino"
    lines = []
    made = tune_grounding_dino(loaded, *parts, settings(), folder, lines.append)
    return SimpleNamespace(made=made, folder=folder, before=before, lines=lines)


def test_the_account_is_whole(tuned, loaded):
    made = tuned.made
    assert (made.name, made.base, made.revision) == ("grounding_dino", loaded.name, loaded.revision)
    assert (made.steps, made.stopped, made.resumed, made.reused) == (6, "steps", False, False)
    assert made.total == 755_172 and 0 < made.trainable < made.total
    for scores in (made.before, made.after):
        assert list(scores) == ["box_ap", "box_ap50"]
        assert all(0 <= s["low"] <= s["value"] <= s["high"] <= 1 and s["n"] == 8 for s in scores.values())
    assert len(made.seconds_per_epoch) == 3 and min(made.seconds_per_epoch) > 0  # 6 steps of 4 over 8 images
    assert made.predicted_bytes > 0 and made.peak_bytes > 0
    assert [row["step"] for row in made.history if "scores" in row] == [3, 6]
    assert "LoRA on" in "\n".join(tuned.lines)


def test_the_best_validation_is_the_one_that_is_kept(tuned):
    best = max(row["scores"]["box_ap"] for row in tuned.made.history if "scores" in row)
    assert tuned.made.after["box_ap"]["value"] == pytest.approx(best, abs=1e-9)


def test_the_model_comes_back_as_it_was(tuned, loaded):
    assert tensor_digests(loaded.model) == tuned.before


def test_the_adapter_holds_itself_alone_and_goes_back_on_the_base(tuned, loaded, parts):
    record = read_adapter(tuned.made.adapter)
    assert record.parameters == tuned.made.trainable
    assert record.roles == tuned.made.roles
    from nbhelpers.teach.grounding_dino import box_results, box_scores

    model = load_adapter(loaded.model, tuned.made.adapter)
    try:
        scores = box_scores(parts[1], box_results(model, loaded.processor, parts[1], batch_size=4))
    finally:
        model.unload()
    assert scores["box_ap"]["value"] == pytest.approx(tuned.made.after["box_ap"]["value"], abs=1e-6)


def test_the_checkpoint_is_adapter_optimiser_and_states_without_the_base(tuned, loaded):
    path = tuned.folder / "training/checkpoint.pt"
    kept = torch.load(path, weights_only=True)
    assert kept.keys() >= {"model", "optimizer", "scheduler", "scaler", "generators"}
    assert all(".lora_" in name for name in kept["model"])
    assert sum(tensor.numel() for tensor in kept["model"].values()) == tuned.made.trainable
    values = 3 * 4 * tuned.made.trainable  # weights and the two moments of AdamW, float32
    assert values <= path.stat().st_size < values + 200_000 < 4 * tuned.made.total


def test_a_finished_training_is_taken_as_it_is(tuned, loaded, parts):
    again = tune_grounding_dino(loaded, *parts, settings(max_minutes=3), tuned.folder, silent)
    assert again.reused and not again.resumed
    assert (again.after, again.steps, again.adapter) == (tuned.made.after, 6, tuned.made.adapter)
    assert again.history == json.loads(json.dumps(tuned.made.history))


@pytest.mark.usefixtures("quick")
def test_a_damaged_adapter_is_made_again_from_the_checkpoint(tuned, loaded, parts):
    file = tuned.made.adapter / "adapter_model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    again = tune_grounding_dino(loaded, *parts, settings(), tuned.folder, silent)
    assert not again.reused
    assert file.read_bytes() == whole


@pytest.mark.usefixtures("quick")
def test_other_inputs_begin_anew_and_it_is_said(tuned, loaded, parts, tmp_path):
    import shutil

    folder, lines = shutil.copytree(tuned.folder, tmp_path / "dino"), []
    made = tune_grounding_dino(loaded, *parts, settings(seed=1), folder, lines.append)
    assert not made.reused and not made.resumed
    assert any("other inputs" in line for line in lines)
    assert (
        read_json(folder / "training.json")["fingerprint"]
        != read_json(tuned.folder / "training.json")["fingerprint"]
    )


@pytest.mark.usefixtures("quick")
def test_cut_short_and_called_again_it_ends_in_the_same_bits(tuned, loaded, parts, tmp_path, monkeypatch):
    from nbhelpers.teach.grounding_dino import fitting, loss

    monkeypatch.setattr(fitting, "CHECKPOINT_EVERY_S", 0.0)
    whole, calls = loss.detection_loss, []

    def cut(*args, **kwargs):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return whole(*args, **kwargs)

    monkeypatch.setattr(loss, "detection_loss", cut)
    with pytest.raises(KeyboardInterrupt):
        tune_grounding_dino(loaded, *parts, settings(), tmp_path / "dino", silent)
    assert tensor_digests(loaded.model) == tuned.before  # no adapter is left in the model
    made = tune_grounding_dino(loaded, *parts, settings(), tmp_path / "dino", silent)
    assert made.resumed and len(calls) == 7  # steps 5 and 6 alone
    name = "adapter_model.safetensors"
    assert (made.adapter / name).read_bytes() == (tuned.made.adapter / name).read_bytes()
    assert made.after == tuned.made.after


@pytest.mark.usefixtures("quick")
def test_a_changed_base_is_a_failure(loaded, parts, tmp_path, monkeypatch):
    from nbhelpers.teach.grounding_dino import tuning

    whole = tuning.fit_adapter

    def careless(job, model, batches):
        result = whole(job, model, batches)
        with torch.no_grad():
            job.loaded.model.model.level_embed.add_(1e-3)
        return result

    kept = loaded.model.model.level_embed.detach().clone()
    monkeypatch.setattr(tuning, "fit_adapter", careless)
    with pytest.raises(CheckFailed, match=r"outside the adapter changed, such as \S*level_embed"):
        tune_grounding_dino(loaded, *parts, settings(2), tmp_path / "dino", silent)
    assert not (tmp_path / "dino/training.json").exists()
    with torch.no_grad():
        loaded.model.model.level_embed.copy_(kept)


@pytest.mark.usefixtures("quick")
def test_a_deadline_that_leaves_no_step_says_so(loaded, parts, tmp_path):
    with pytest.raises(CheckFailed, match="leaves no time for a step"):
        tune_grounding_dino(loaded, *parts, settings(max_minutes=1e-9), tmp_path / "dino", silent)


def test_parts_of_different_classes_are_refused(loaded, scenes, parts, tmp_path):
    from dataclasses import replace

    renamed = [{**entry, "name": f"my {entry['name']}"} for entry in scenes.categories]
    with pytest.raises(BadInput, match="its classes are not those of"):
        tune_grounding_dino(
            loaded, replace(parts[0], categories=renamed), parts[1], settings(), tmp_path / "dino", silent
        )


def test_precision_follows_the_device_and_the_weights():
    cpu = SimpleNamespace(device="cpu", dtype=torch.float32)
    t4 = SimpleNamespace(device="cuda:0", dtype=torch.float16)
    newer = SimpleNamespace(device="cuda:0", dtype=torch.bfloat16)
    assert [choose_precision(one, "auto") for one in (cpu, t4, newer)] == ["no", "fp16", "bf16"]
    assert choose_precision(t4, "no") == "no"


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_loss_falls_and_precision_rises(loaded, tmp_path):
    scenes = draw_scenes(tmp_path / "scenes", 44, (96, 96), 5, "shifted")
    train, val = scenes.subset(scenes.image_ids[:24]), scenes.subset(scenes.image_ids[24:])
    more = settings(100, detector={"validations": 1, "learning_rate": 4e-3})
    made = tune_grounding_dino(loaded, train, val, more, tmp_path / "dino", silent)
    losses = [row["loss"] for row in made.history if "loss" in row]
    assert sum(losses[-10:]) < 0.85 * sum(losses[:10])
    assert made.after["box_ap50"]["value"] > made.before["box_ap50"]["value"] + 0.05
