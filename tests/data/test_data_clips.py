"""Clips of labelled videos: the truth about them, their frames, parts without leaks, the ready subset."""

import json
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import odd_videos as odd
import pytest

from nbhelpers.artifacts import sha256_file
from nbhelpers.data.clips import build_clips, check_no_leak, load_clips, make_samples, split_clips
from nbhelpers.data.operations import parse_answer, told_times
from nbhelpers.data.videos import (
    LabelledSegment,
    VideoSet,
    load_openpack,
    load_videos,
    make_videos,
    read_frames,
)
from nbhelpers.errors import BadInput, CheckFailed


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return make_videos(tmp_path_factory.mktemp("drawn"), 9, duration_s=16.0, size_px=84, jobs=1)


@pytest.fixture(scope="module")
def clips(videos):
    return build_clips(videos, stride_s=1.5)


def of(videos, clip):
    return next(video for video in videos.videos if video.file_name == clip.file_name)


def film(folder, fps, segments, count=None):
    """A set of one film of numbered frames."""
    seconds = segments[-1].end_s
    odd.write_video(folder / "film.mp4", count or round(seconds * fps), fps=fps)
    entries = [{"operation": s.operation, "start_s": s.start_s, "end_s": s.end_s} for s in segments]
    document = {
        "operations": sorted({s.operation for s in segments} - {"Null"}),
        "videos": [
            {
                "file_name": "film.mp4",
                "fps": fps,
                "num_frames": count or round(seconds * fps),
                "segments": entries,
            }
        ],
    }
    (folder / "annotations.json").write_text(json.dumps(document))
    return load_videos(folder)


def test_the_operation_in_the_middle_is_asked_for(videos, clips):
    assert len(clips) > 40
    for clip in clips.clips:
        segments = of(videos, clip).segments
        middle = clip.offset_s + clip.duration_s / 2
        (place,) = (k for k, one in enumerate(segments) if one.start_s <= middle < one.end_s)
        asked, follows = segments[place : place + 2]
        assert (clip.operation, clip.next_operation) == (asked.operation, follows.operation)
        assert clip.start_s == pytest.approx(max(asked.start_s - clip.offset_s, 0), abs=0.006)
        assert clip.end_s == pytest.approx(min(asked.end_s - clip.offset_s, clip.duration_s), abs=0.006)
        at = clip.offset_s + np.array(clip.times_s)
        assert clip.next_visible == bool(((at >= follows.start_s) & (at < follows.end_s)).any())


def test_clips_are_as_the_small_model_knows_them(clips):
    for clip in clips.clips:
        spacing = clip.duration_s / 8
        assert spacing in (0.5, 1.0)
        assert clip.times_s == pytest.approx([k * spacing for k in range(8)], abs=1e-6)
        assert told_times(clip.question) == pytest.approx(clip.times_s, abs=1e-6)
        said = parse_answer(clip.answer)
        assert (said.operation, said.next_operation) == (clip.operation, clip.next_operation)
        assert abs(said.start_s - clip.start_s) <= 0.051 and abs(said.end_s - clip.end_s) <= 0.051
        assert clip.truth.operation == clip.operation and clip.part is None
    assert len({clip.clip_id for clip in clips.clips}) == len(clips)
    assert {clip.duration_s for clip in clips.clips} == {4.0, 8.0}


def test_frames_come_from_their_times(clips):
    clip = clips.clips[3]
    frames = clip.frames()
    assert frames.shape == (8, 84, 84, 3)
    assert (frames == read_frames(clip.path, clip.offset_s + np.array(clip.times_s)).pixels).all()


def test_clips_are_the_same_again_and_others_with_another_seed(videos, clips):
    assert build_clips(videos, stride_s=1.5).clips == clips.clips
    assert build_clips(videos, stride_s=1.5, seed=1).clips != clips.clips


@pytest.mark.parametrize("how", ["uniform", "entropy", "mixed"])
@pytest.mark.parametrize("fps", [8, 25, 30])
def test_told_times_are_within_half_a_frame_of_the_true_ones(tmp_path, how, fps):
    segments = [LabelledSegment(name, 3 * k, 3 * k + 3) for k, name in enumerate("ABCDE")]
    made = build_clips(film(tmp_path, fps, segments), how=how, spacings_s=(0.5,))
    assert len(made) >= 4
    for clip in made.clips:
        told, true = np.array(told_times(clip.question)), np.array(clip.times_s)
        assert np.abs(told - true).max() <= 0.5 / fps + 1e-6
        numbers = [odd.number_of(pixels) for pixels in clip.frames()]
        assert numbers == [round((clip.offset_s + time) * fps) for time in true]
        assert true[0] == 0 or how == "entropy"


def test_before_a_change_nothing_of_what_follows_is_shown(videos):
    made = build_clips(videos, anticipation_s=0.3, spacings_s=(0.2,))
    assert len(made) > 20
    for clip in made.clips:
        assert not clip.next_visible
        change = min(
            s.end_s for s in of(videos, clip).segments if s.end_s > clip.offset_s + clip.duration_s / 2
        )
        assert 0.3 - 1e-6 <= change - (clip.offset_s + clip.duration_s) < 0.4 + 1e-6
    assert not any(clip.next_visible for clip in made.clips)


def test_null_and_gaps_are_passed_over(tmp_path):
    segments = [
        LabelledSegment("A", 0, 5),
        LabelledSegment("Null", 5, 10),
        LabelledSegment("B", 15, 20),
        LabelledSegment("A", 20, 25),
    ]
    made = build_clips(film(tmp_path, 10, segments), spacings_s=(0.5,), stride_s=0.5)
    pairs = {(clip.operation, clip.next_operation) for clip in made.clips}
    assert pairs == {("A", "B"), ("B", "A")}
    assert made.skipped["no operation in the middle"] > 5 and made.skipped["what follows is not known"] > 2


def test_a_film_with_too_few_frames_gives_no_clip(tmp_path):
    segments = [LabelledSegment("A", 0, 8), LabelledSegment("B", 8, 20)]
    made = build_clips(film(tmp_path, 1, segments), spacings_s=(0.5,))
    assert not len(made) and made.skipped["too few frames"] > 0


def test_labels_without_films_are_refused(shared_data, videos):
    with pytest.raises(BadInput, match="there are labels alone"):
        build_clips(load_openpack(shared_data / "openpack"))
    mixed = replace(videos, videos=(replace(videos.videos[0], path=None), *videos.videos[1:2]))
    assert build_clips(mixed).skipped["no video file"] == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"frames": 0}, "at least 1"),
        ({"spacings_s": ()}, "tenths of a second"),
        ({"spacings_s": (0.25,)}, "tenths of a second"),
        ({"how": "random"}, "known are uniform"),
        ({"stride_s": 0.0}, "above 0"),
        ({"anticipation_s": -1.0}, "0 or more"),
    ],
)
def test_bad_input_is_named(videos, arguments, reason):
    with pytest.raises(BadInput, match=reason):
        build_clips(videos, **arguments)


def test_parts_never_share_a_source(clips):
    made = split_clips(clips, "train:0.6,val:0.2,test:0.2")
    assert made.parts == ("train", "val", "test") and sum(len(made.part(p)) for p in made.parts) == len(clips)
    homes = [{clip.source for clip in made.part(name).clips} for name in made.parts]
    assert all(homes) and not (homes[0] & homes[1] or homes[0] & homes[2] or homes[1] & homes[2])
    assert [replace(clip, part=None) for clip in made.clips] == list(clips.clips)
    cameras = {}
    for clip in made.clips:
        cameras.setdefault(clip.source, set()).add((clip.file_name, clip.part))
    assert any(len({name for name, _ in seen}) == 2 for seen in cameras.values())  # two cameras, one part


def test_the_split_does_not_depend_on_the_order_of_clips(clips):
    turned = replace(clips, clips=clips.clips[::-1])
    assert {c.clip_id: c.part for c in split_clips(clips).clips} == {
        c.clip_id: c.part for c in split_clips(turned).clips
    }


def test_by_subject_all_sessions_of_a_person_stay_together(clips):
    renamed = tuple(
        replace(clip, source=f"U{int(clip.source[1:5]) % 3}/{clip.source[1:5]}") for clip in clips.clips
    )
    made = split_clips(replace(clips, clips=renamed), "train:0.5,test:0.5", by="subject")
    home = {}
    for clip in made.clips:
        assert home.setdefault(clip.source[:2], clip.part) == clip.part


def test_the_guard_fails_on_each_kind_of_leak(clips, tmp_path):
    made = split_clips(clips)
    check_no_leak(made)
    train, test = made.part("train").clips, made.part("test").clips
    with pytest.raises(CheckFailed, match=rf"source {test[0].source} is in the parts"):
        check_no_leak((*train, *test, replace(test[0], part="train")))
    with pytest.raises(CheckFailed, match=r"video .* is in the parts"):
        check_no_leak((*train, replace(train[0], source="U9/S9", part="test")))
    copy = shutil.copy(train[0].path, tmp_path / "other.mp4")
    stolen = replace(train[0], source="U9/S9", part="test", path=tmp_path / "other.mp4", file_name=copy.name)
    with pytest.raises(CheckFailed, match=r"content of .* is in the parts"):
        check_no_leak((*train, stolen))
    with pytest.raises(CheckFailed, match="is in no part"):
        check_no_leak(clips)


def test_a_split_by_clip_is_impossible(clips):
    with pytest.raises(BadInput, match="use source or subject"):
        split_clips(clips, by="clip")
    with pytest.raises(BadInput, match="1 sources cannot fill 3 parts"):
        split_clips(replace(clips, clips=clips.clips[:2]))
    with pytest.raises(BadInput, match="sum to"):
        split_clips(clips, "train:0.7,test:0.7")


@pytest.fixture(scope="module")
def samples(videos, tmp_path_factory):
    return make_samples(tmp_path_factory.mktemp("samples"), 20, videos)


def test_twenty_samples_with_question_answer_and_true_times(videos, samples):
    document = json.loads(samples.path.read_text())
    assert samples.path.name == "index.json" and len(document["clips"]) == 20
    for entry in document["clips"]:
        assert {"file_name", "question", "answer", "times_s", "operation", "start_s", "end_s"} <= set(entry)
        assert (samples.path.parent / entry["file_name"]).is_file() and entry["part"] == "train"
    counts = Counter(clip.operation for clip in samples.clips)
    assert len(counts) == len(videos.operations) and max(counts.values()) - min(counts.values()) <= 1
    assert load_clips(samples.path.parent) == samples


def test_a_sample_shows_what_its_video_shows(videos, samples):
    by_id = {clip.clip_id: clip for clip in build_clips(videos, stride_s=1.0).clips}
    for sample in samples.clips[:6]:
        clip = by_id[sample.clip_id]
        assert (sample.times_s, sample.answer) == (clip.times_s, clip.answer) and sample.offset_s == 0
        found = read_frames(sample.path, sample.times_s)
        assert found.times_s == pytest.approx(sample.times_s, abs=1e-4)
        assert np.abs(found.pixels.astype(int) - clip.frames()).mean() < 3


def test_samples_are_kept_and_missing_ones_written_again(videos, samples, tmp_path):
    shutil.copytree(samples.path.parent, tmp_path / "again")
    first, second = (tmp_path / "again" / clip.file_name for clip in samples.clips[:2])
    digest, changed = sha256_file(first), second.stat().st_mtime_ns
    first.unlink()
    made = make_samples(tmp_path / "again", 20, videos)
    assert sha256_file(first) == digest and second.stat().st_mtime_ns == changed
    assert [clip.file_name for clip in made.clips] == [clip.file_name for clip in samples.clips]


def test_samples_draw_their_own_videos_when_none_are_given(tmp_path):
    made = make_samples(tmp_path, 2, seed=3)
    assert len(made) == 2 and (tmp_path / "videos" / "annotations.json").is_file()


def test_sample_errors(videos, tmp_path):
    few = VideoSet(videos.path, videos.operations, videos.videos[:1])
    with pytest.raises(BadInput, match="500 were asked for; add videos"):
        make_samples(tmp_path, 500, few)
    with pytest.raises(BadInput, match="at least 1"):
        make_samples(tmp_path, 0, few)
    (tmp_path / "index.json").write_text('{"clips": [{"clip_id": "a"}]}')
    with pytest.raises(BadInput, match="clip 0: lacks file_name"):
        load_clips(tmp_path)
    (tmp_path / "index.json").write_text("[]")
    with pytest.raises(BadInput, match="no list `clips`"):
        load_clips(tmp_path)
