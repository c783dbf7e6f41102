"""The small video model answers clips read back from MP4 files as well as frames in memory."""

from pathlib import Path

import numpy as np
import pytest

from nbhelpers.data.clips import build_clips
from nbhelpers.data.operations import cut_clip, render_frames
from nbhelpers.data.videos import make_videos, read_frames
from nbhelpers.data.videos.plan import VideoPlan
from nbhelpers.twins.qwen2_5_vl.evaluate import answer_clips, load_twin, score

TWIN = Path(__file__).resolve().parents[2] / "checkpoints" / "tiny" / "qwen2.5-vl"
SETTINGS = {"seed": 77, "world": "base", "main": 0.87}
COUNT = 60


@pytest.mark.slow
def test_a_video_file_costs_no_right_answers(tmp_path):
    """Both are asked for the same clips: frames drawn in memory at 84 pixels, and those of the H.264 file."""
    plan = VideoPlan(**SETTINGS)
    takes = {take.file_name: take for take in map(plan.take, range(8))}
    filmed = build_clips(make_videos(tmp_path, 8, jobs=1, **SETTINGS), stride_s=1.5).clips[:COUNT]
    assert len(filmed) == COUNT
    drawn, in_memory, from_file = [], [], []
    for clip in filmed:
        take, spacing = takes[clip.file_name], clip.duration_s / 8
        at = [clip.offset_s + time for time in clip.times_s]
        drawn.append(cut_clip(take.timeline, clip.offset_s, spacing))
        in_memory.append(render_frames(take.timeline, at, 84, take.camera))
        read = read_frames(clip.path, at)
        assert read.times_s == pytest.approx(at, abs=1e-6)
        from_file.append(read.pixels)
    model, processor = load_twin(TWIN)
    right = {}
    for name, frames in (("memory", in_memory), ("file", from_file)):
        shown = iter(frames)
        right[name] = score(answer_clips(model, processor, drawn, lambda _, it=shown: next(it)))
    for measure in ("operation", "tiou_0.5", "next", "json"):
        memory, file = (float(np.mean(right[name][measure])) for name in ("memory", "file"))
        print(f"{measure}: memory {memory:.3f}, file {file:.3f}, n {len(drawn)}")
        assert file >= memory - 0.035
    assert right["file"]["operation"].mean() >= 0.85 and right["file"]["tiou_0.5"].mean() >= 0.75
