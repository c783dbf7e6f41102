"""Where a tuning's clips come from, and which model is tried with what."""

import pytest

from nbhelpers.errors import BadInput
from nbhelpers.models import chain
from nbhelpers.settings import VideoSection, load_settings
from nbhelpers.video import checkpointing, clips_or_default, packing

SMALL = VideoSection(
    videos=6, video_s=18.0, video_px=84, cameras=1, stride_s=2.0, split="train:0.5,val:0.25,test:0.25"
)


def quiet(_):
    pass


def test_drawn_clips_are_split_by_source_and_taken_again(tmp_path):
    lines = []
    drawn = clips_or_default(None, SMALL, tmp_path, lines.append)
    homes = {}
    for clip in drawn.clips:
        homes.setdefault(clip.source, set()).add(clip.part)
    assert all(len(parts) == 1 for parts in homes.values()) and set(drawn.parts) == {"train", "val", "test"}
    assert "train" in lines[0] and "sources" in lines[0]
    stamp = (tmp_path / "videos" / "annotations.json").stat().st_mtime_ns
    assert clips_or_default(None, SMALL, tmp_path, quiet).clips == drawn.clips
    given = clips_or_default(tmp_path / "videos", SMALL, tmp_path / "elsewhere", quiet)
    assert [clip.clip_id for clip in given.clips] == [clip.clip_id for clip in drawn.clips]
    assert (tmp_path / "videos" / "annotations.json").stat().st_mtime_ns >= stamp


def test_clips_of_an_index_are_taken_as_they_are(tmp_path):
    from nbhelpers.data.clips import make_samples
    from nbhelpers.data.videos import make_videos

    videos = make_videos(tmp_path / "videos", 4, duration_s=14.0, size_px=84, cameras=1, jobs=1)
    samples = make_samples(tmp_path / "samples", 5, videos)
    found = clips_or_default(tmp_path / "samples", SMALL, tmp_path, quiet)
    assert {clip.clip_id for clip in found.clips} == {clip.clip_id for clip in samples.clips}


def test_a_file_that_is_neither_is_refused(tmp_path):
    (tmp_path / "annotations.json").write_text("[1, 2]")
    with pytest.raises(BadInput, match=r"annotations\.json"):
        clips_or_default(tmp_path, SMALL, tmp_path, quiet)


def test_the_t4_profile_has_the_chain_and_nine_hours_leave_room():
    settings = load_settings("t4")
    names = chain("video", "t4")
    assert {"qwen3-vl-4b", "qwen2.5-vl-3b", "qwen3-vl-2b"} < set(names) and names[-1] == "tiny/qwen2.5-vl"
    assert settings.video.roles is None and settings.video.keep_features
    assert settings.video.max_minutes < 9 * 60
    assert chain("video", "t4", "qwen3-vl-8b") == ["qwen3-vl-8b"]


@pytest.mark.parametrize(
    ("quantize", "name", "device", "packed"),
    [
        ("auto", "qwen3-vl-4b", "cuda:0", "nf4"),
        ("auto", "tiny/qwen2.5-vl", "cuda:0", None),
        ("auto", "qwen3-vl-4b", "cpu", None),
        ("int8", "qwen3-vl-4b", "cuda:0", "int8"),
        ("none", "qwen3-vl-4b", "cuda:0", None),
    ],
)
def test_what_is_packed(quantize, name, device, packed):
    assert packing(SMALL.model_copy(update={"quantize": quantize}), name, device) == packed


def test_checkpointing_is_for_gpus_unless_said_otherwise():
    assert checkpointing(SMALL, "cuda:0") and not checkpointing(SMALL, "cpu")
    assert checkpointing(SMALL.model_copy(update={"checkpointing": "on"}), "cpu")
