"""Tuning: what it leaves, what it leaves alone, and that it goes on where it stopped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from video_models import qwen3, twin

from nbhelpers.data.operations import draw_clip
from nbhelpers.errors import BadInput
from nbhelpers.models import tensor_digests
from nbhelpers.settings import VideoSection
from nbhelpers.video import VideoPredictor, read_tuned, tune_video

SMALL = VideoSection(
    roles=("text",), batch=4, steps=6, validations=1, val_clips=4, learning_rate=1e-2, dropout=0.0
)


def quiet(_):
    pass


@pytest.fixture(scope="module")
def clips():
    return [draw_clip(41, index, "shifted") for index in range(8)], [
        draw_clip(42, index, "shifted") for index in range(4)
    ]


@pytest.fixture(scope="module")
def tuned(clips, tmp_path_factory):
    loaded, folder = twin(), tmp_path_factory.mktemp("tuned")
    before = tensor_digests(loaded.model)
    made = tune_video(loaded, *clips, SMALL, folder, say=quiet)
    return made, folder, loaded, before


def test_the_account(tuned):
    made, folder, _, _ = tuned
    assert (made.steps, made.stopped, made.resumed, made.reused) == (6, "steps", False, False)
    assert made.roles == ("text.attention", "text.mlp") and made.trainable == 110_976
    assert made.features == "kept" and made.steps_per_epoch == 2 and len(made.seconds_per_epoch) == 3
    assert {"oca", "tiou_05", "aa1", "weighted", "parse_rate", "clipped"} <= made.after.keys()
    losses = [row["loss"] for row in made.history if "loss" in row]
    assert len(losses) == 6 and losses[-1] < losses[0]
    assert made.predicted_bytes > 4 * made.total and made.peak_bytes > 4 * made.total
    assert read_tuned(folder) == made


def test_scalars_are_there_for_tensorboard(tuned):
    events = EventAccumulator(str(tuned[1] / "training" / "tensorboard"))
    events.Reload()
    assert {"train/loss", "train/lr", "validation/weighted", "validation/parse_rate"} <= set(
        events.Tags()["scalars"]
    )


def test_the_model_is_given_back_as_it_came(tuned):
    _, _, loaded, before = tuned
    assert tensor_digests(loaded.model) == before
    assert not hasattr(loaded.model, "peft_config") and "forward" not in vars(loaded.model.model.visual)


def test_a_second_call_takes_it_as_it_is(tuned, clips):
    made, folder, loaded, _ = tuned
    lines = []
    again = tune_video(loaded, *clips, SMALL, folder, say=lines.append)
    assert again.reused and again.adapter == made.adapter and "finished before" in lines[0]


def test_other_settings_begin_anew(tuned, clips, tmp_path):
    loaded, lines = tuned[2], []
    first = SMALL.model_copy(update={"steps": 2, "validations": 1})
    tune_video(loaded, *clips, first, tmp_path, say=quiet)
    other = tune_video(loaded, *clips, first.model_copy(update={"r": 8}), tmp_path, say=lines.append)
    assert other.trainable == 110_976 // 2 and not other.reused
    assert any("begins anew" in line for line in lines)


def test_the_adapter_answers(tuned, clips):
    made, _, _, _ = tuned
    predictor = VideoPredictor.load("tiny/qwen2.5-vl", made.adapter, device="cpu")
    assert predictor.operations == made.operations
    with_it = [one.text for one in predictor.predict(clips[1])]
    predictor.swap(None)
    without = [one.text for one in predictor.predict(clips[1])]
    predictor.swap(made.adapter)
    assert [one.text for one in predictor.predict(clips[1])] == with_it != without
    bare = VideoPredictor.load("tiny/qwen2.5-vl", device="cpu")
    assert [one.text for one in bare.predict(clips[1])] == without


def test_an_adapter_of_another_model_leaves_the_one_before(tuned, clips, tmp_path):
    import shutil

    from nbhelpers.artifacts import read_json, write_json

    made, _, _, _ = tuned
    other = tmp_path / "other"
    shutil.copytree(made.adapter, other)
    record = read_json(other / "nbhelpers_adapter.json")
    write_json(other / "nbhelpers_adapter.json", record | {"base": "another/model", "revision": "1"})
    predictor = VideoPredictor.load("tiny/qwen2.5-vl", made.adapter, device="cpu")
    before = [one.text for one in predictor.predict(clips[1])]
    with pytest.raises(BadInput, match="is made for another/model"):
        predictor.swap(other)
    assert predictor.adapter == made.adapter
    assert [one.text for one in predictor.predict(clips[1])] == before


def test_a_deadline_leaves_a_checkpoint_to_go_on_from(clips, tmp_path):
    short = SMALL.model_copy(update={"steps": 400, "max_minutes": 0.1, "validations": 1, "val_clips": 2})
    cut = tune_video(twin(), *clips, short, tmp_path, say=quiet)
    assert cut.stopped == "deadline" and cut.steps < 400
    longer = short.model_copy(update={"max_minutes": 0.2})
    on = tune_video(twin(), *clips, longer, tmp_path, say=quiet)
    assert on.steps > cut.steps and (on.resumed or cut.steps == 0)


def test_a_clip_in_both_parts_is_refused(clips, tmp_path):
    with pytest.raises(BadInput, match="is to be learned from and to be judged by"):
        tune_video(twin(), clips[0], clips[0][:2], SMALL, tmp_path, say=quiet)


def test_checkpointing_changes_no_loss(clips, tmp_path):
    from nbhelpers.models import load

    plain = tune_video(twin(), *clips, SMALL, tmp_path / "a", say=quiet)
    saving = load("tiny/qwen2.5-vl", task="tune", device="cpu", gradient_checkpointing=True)
    assert saving.model.is_gradient_checkpointing
    saved = tune_video(saving, *clips, SMALL, tmp_path / "b", say=quiet)
    for one, other in zip(plain.history, saved.history, strict=True):
        assert one.get("loss", 0) == pytest.approx(other.get("loss", 0), abs=1e-5)


def test_qwen3_is_tuned_too(clips, tmp_path):
    small = SMALL.model_copy(update={"roles": None, "steps": 12, "constrained": True})
    made = tune_video(qwen3(), *clips, small, tmp_path, operations=("A", "B"), say=quiet)
    losses = [row["loss"] for row in made.history if "loss" in row]
    assert made.features == "kept" and losses[-1] < losses[0]
    assert made.after["parse_rate"] == 1.0  # of a random model: constrained, it writes nothing but answers


@pytest.mark.slow
def test_a_killed_tuning_ends_in_the_same_bits(tmp_path):
    script = Path(__file__).with_name("killed_tuning.py")
    environment = os.environ | {"NBHELPERS_PROGRESS": "off", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, timeout=900, env=environment,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for family, found in json.loads(done.stdout).items():
        assert found["codes"] == [0, -9, 0], family
        assert found["cut"]["resumed"] and not found["whole"]["resumed"]
        assert found["cut"]["adapter"] == found["whole"]["adapter"], family
        assert found["cut"]["history"] == found["whole"]["history"], family


def test_torch_generators_are_left_alone(clips, tmp_path):
    loaded = twin()  # building a model draws its first weights
    torch.manual_seed(5)
    before = torch.get_rng_state()
    tune_video(loaded, *clips, SMALL.model_copy(update={"steps": 1}), tmp_path, say=quiet)
    assert torch.equal(torch.get_rng_state(), before)
