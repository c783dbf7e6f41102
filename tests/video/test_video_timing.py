"""Times a model is told: read back from what goes into it, beside the times that were decoded."""

import re

import numpy as np
import pytest
import torch
from video_models import qwen3, twin

from nbhelpers.data.operations import ask, told_times
from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.video import check_told, model_inputs, sample_of, telling
from nbhelpers.video.timing import truncated_step_s

HALF_S, ONE_S = [k / 2 for k in range(8)], [float(k) for k in range(8)]
FAMILIES = ("qwen2_5_vl", "qwen3_vl", "smolvlm", "gemma3")


@pytest.fixture(scope="module")
def models():
    return {"qwen2_5_vl": twin("infer"), "qwen3_vl": qwen3()}


def clip(times_s, duration_s=8.0, side=84):
    frames = np.random.default_rng(0).integers(0, 255, (len(times_s), side, side, 3), np.uint8)
    return sample_of((frames, times_s, duration_s)), frames


def times_by_positions(loaded, inputs, first_s=0.0):
    """Seconds that Qwen2.5-VL's temporal positions say, one per step of the grid."""
    model = loaded.model.model
    positions, _ = model.get_rope_index(
        inputs["input_ids"], inputs["mm_token_type_ids"], video_grid_thw=inputs["video_grid_thw"],
        second_per_grid_ts=inputs["second_per_grid_ts"], attention_mask=inputs["attention_mask"],
    )  # fmt: skip
    at = positions[0, 0][inputs["mm_token_type_ids"][0] == 2]
    per_second = loaded.config.vision_config.tokens_per_second
    return [first_s + float(one - at[0]) / per_second for one in at.unique()]


def read_back(loaded, inputs, told):
    """The times the model is told by the layout, from its inputs alone."""
    if told.layout == "grid":
        return times_by_positions(loaded, inputs, told.told_s[0])
    text = loaded.processor.tokenizer.decode(inputs["input_ids"][0])
    pattern = r"<(\d+\.\d) seconds>" if told.layout == "stamps" else r"t = (\d+\.\d) s"
    return [float(found) for found in re.findall(pattern, text)]


@pytest.mark.parametrize("times", [HALF_S, ONE_S, [0.5 + t for t in ONE_S]])
def test_qwen25_is_told_even_times_by_its_positions(models, times):
    sample, frames = clip(times, 10.0)
    told = telling("qwen2_5_vl", times)
    inputs = model_inputs(models["qwen2_5_vl"].processor, models["qwen2_5_vl"].family, [sample], [frames])
    assert told.layout == "grid"
    assert times_by_positions(models["qwen2_5_vl"], inputs, times[0]) == times[::2] == list(told.told_s)


@pytest.mark.parametrize(("spacing", "positions"), [(0.2, 1), (0.4, 1), (0.7, 4), (0.9, 4)])
def test_qwen25_truncates_seconds_per_grid(models, spacing, positions):
    """What becomes of times handed over as a video all the same: so such clips are shown as single frames."""
    loaded, times = models["qwen2_5_vl"], [round(k * spacing, 1) for k in range(8)]
    frames = np.zeros((8, 84, 84, 3), np.uint8)
    text = "<|vision_start|><|video_pad|><|vision_end|>"
    metadata = {"fps": 1 / spacing, "total_num_frames": 8, "duration": 8 * spacing,
                "frames_indices": list(range(8))}  # fmt: skip
    inputs = loaded.processor(
        text=[text], videos=[frames], video_metadata=[metadata], do_sample_frames=False, return_tensors="pt"
    )
    said = times_by_positions(loaded, inputs)
    assert len(said) == positions  # below half a second apart, all four steps stand at one time
    assert [step * truncated_step_s(times) for step in range(positions)] == said
    true = times[::2]
    assert max(abs(a - b) for a, b in zip(said * 4, true, strict=False)) > 0.3
    assert telling("qwen2_5_vl", times).layout == "frames"


@pytest.mark.parametrize("times", [[0.0, 0.3, 0.7, 1.7, 2.2, 2.4, 3.9, 4.0], [0.0, 0.2, 0.4, 0.6], [1.7]])
def test_qwen25_is_told_other_times_in_words(models, times):
    sample, frames = clip(times, 5.0)
    loaded, told = models["qwen2_5_vl"], telling("qwen2_5_vl", times)
    inputs = model_inputs(loaded.processor, loaded.family, [sample], [frames])
    assert told.layout == "frames" and read_back(loaded, inputs, told) == times
    assert inputs["image_grid_thw"].shape == (len(times), 3) and "pixel_values_videos" not in inputs
    with torch.inference_mode():
        assert torch.isfinite(loaded.model(**inputs).logits).all()


@pytest.mark.parametrize("times", [HALF_S, [0.0, 0.2, 0.6, 1.8, 2.2, 2.4, 3.8, 4.0], [0.1, 0.3, 0.5]])
def test_qwen3_is_told_the_middle_of_each_pair(models, times):
    sample, frames = clip(times, 5.0, side=64)
    loaded, told = models["qwen3_vl"], telling("qwen3_vl", times)
    inputs = model_inputs(loaded.processor, loaded.family, [sample], [frames])
    padded = times if len(times) % 2 == 0 else [*times, times[-1]]
    middles = [(a + b) / 2 for a, b in zip(padded[::2], padded[1::2], strict=True)]
    said = read_back(loaded, inputs, told)
    assert said == list(told.told_s)
    assert said == pytest.approx(middles, abs=0.0501)
    assert inputs["video_grid_thw"][0, 0] == len(padded) // 2
    with torch.inference_mode():
        assert torch.isfinite(loaded.model(**inputs).logits).all()


def test_qwen3_by_its_defaults_takes_other_frames(models):
    """Without `do_sample_frames=False` the stock processor picks among frames that were picked already."""
    processor = models["qwen3_vl"].processor
    frames = np.zeros((8, 64, 64, 3), np.uint8)
    metadata = {"fps": 2.0, "total_num_frames": 8, "duration": 4.0, "frames_indices": list(range(8))}
    given = {"text": ["<|vision_start|><|video_pad|><|vision_end|>"], "videos": [frames]}
    stock = processor(**given, video_metadata=[metadata | {"fps": 8.0}], return_tensors="pt")
    assert stock["video_grid_thw"][0, 0] < 4
    ours = processor(**given, video_metadata=[metadata], do_sample_frames=False, return_tensors="pt")
    assert ours["video_grid_thw"][0, 0] == 4


@pytest.mark.parametrize("family", FAMILIES)
def test_a_question_that_tells_other_times_is_refused(family):
    question = ask([0.0, 0.5, 1.0, 1.5], 2.0)
    good = [0.0, 0.5, 1.0, 1.5]
    assert check_told(telling(family, good), question, good) <= 0.05 + 1e-9
    off = [0.0, 0.58, 1.0, 1.5]
    with pytest.raises(CheckFailed, match=r"0\.080 s off, more than half a frame \(0\.050 s\)"):
        check_told(telling(family, off), question, off)


def test_qwen3_is_shown_single_frames_where_stamps_would_be_off():
    """At 30 frames a second half a frame is 17 ms: a middle at 0.25 s cannot be told, one at 0.2 s can."""
    fine = 1 / 60
    assert telling("qwen3_vl", [0.0, 0.5, 1.0, 1.5], fine).layout == "frames"
    on_grid = telling("qwen3_vl", [0.0, 0.4, 1.0, 1.8], fine)
    assert on_grid.layout == "stamps" and on_grid.told_s == (0.2, 1.4)


def test_times_must_rise():
    for times in ([], [0.0, 0.0], [1.0, 0.5]):
        with pytest.raises(BadInput, match="must rise"):
            telling("qwen2_5_vl", times)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    from nbhelpers.data.videos import make_videos

    folder = tmp_path_factory.mktemp("videos")
    return make_videos(folder, 2, seed=3, world="base", duration_s=12.0, size_px=84, jobs=1)


@pytest.mark.parametrize("how", ["uniform", "entropy", "mixed"])
@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_told_times_are_the_decoded_ones_for_every_sampler(models, videos, how, family):
    """Through files: sampled, decoded, asked, processed; then read back from the tokens and positions."""
    from nbhelpers.data.clips import build_clips

    loaded = models[family]
    clips = build_clips(videos, how=how).clips[:6]
    assert clips
    for one in clips:
        sample = sample_of(one)
        frames = sample.frames()
        told = telling(family, sample.times_s)
        inputs = model_inputs(loaded.processor, loaded.family, [sample], [frames])
        half_frame_s = 0.5 / videos.videos[0].fps
        assert read_back(loaded, inputs, told) == pytest.approx(list(told.meant_s), abs=half_frame_s + 1e-6)
        assert told_times(sample.question) == pytest.approx(list(one.times_s), abs=half_frame_s)
