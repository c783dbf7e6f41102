"""Drawn videos on disk: what they hold, that they are the same again, and that looking is needed."""

import json
import os
import shutil
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest

from nbhelpers.artifacts import sha256_file
from nbhelpers.data.operations import PACES, find_operation_world, render_frames
from nbhelpers.data.videos import (
    encode_video,
    load_videos,
    make_videos,
    probe_video,
    read_all_frames,
    read_frames,
)
from nbhelpers.data.videos.plan import VideoPlan
from nbhelpers.errors import BadInput

SMALL = {"duration_s": 8.0, "size_px": 84, "jobs": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("drawn")


@pytest.fixture(scope="module")
def made(folder):
    return make_videos(folder, 5, **SMALL)


def digests(videos):
    return [sha256_file(video.path) for video in videos.videos]


def test_files_are_h264_with_the_frames_and_times_that_are_written(made):
    import av

    for video in made.videos:
        facts = probe_video(video.path)
        assert (
            (facts.num_frames, facts.fps)
            == (video.num_frames, video.fps)
            == (round(video.duration_s * 10), 10)
        )
        assert facts.duration_s == video.duration_s and not facts.warnings
        assert facts.times_s == pytest.approx(np.arange(video.num_frames) / 10, abs=1e-6)
        with av.open(str(video.path)) as container:
            assert container.streams.video[0].codec_context.name == "h264"


def test_annotations_have_the_agreed_form(made):
    document = json.loads(made.path.read_text())
    assert made.path.name == "annotations.json"
    names = {one["name"] for one in document["operations"]}
    assert names == {one.name for one in find_operation_world("shifted").operations}
    for video in document["videos"]:
        assert {"file_name", "fps", "num_frames", "segments"} <= set(video)
        ends = [0.0, *(one["end_s"] for one in video["segments"])]
        assert [one["start_s"] for one in video["segments"]] == ends[:-1] and ends[-1] == video["duration_s"]
        assert {one["operation"] for one in video["segments"]} <= names


def test_reading_back_gives_what_was_drawn(made):
    assert made == load_videos(made.path) == load_videos(made.path.parent)
    assert not made.warnings


def test_pictures_are_those_of_the_renderer(made):
    plan = VideoPlan(duration_s=8.0, size_px=84)
    for index in (0, 2):
        take = plan.take(index)
        times = [0.0, 2.5, 5.1]
        drawn = render_frames(take.timeline, times, 84, take.camera).astype(int)
        read = read_frames(made.videos[index].path, times).pixels.astype(int)
        other = render_frames(plan.take(1).timeline, times, 84).astype(int)
        assert np.abs(drawn - read).mean() < 6 < np.abs(drawn - other).mean() / 2


def test_the_same_again_and_the_first_of_more(made, tmp_path):
    fewer = make_videos(tmp_path, 2, **SMALL)
    assert digests(fewer) == digests(made)[:2]
    assert [v.segments for v in fewer.videos] == [v.segments for v in made.videos[:2]]


def test_a_cut_short_drawing_goes_on_and_harmed_files_are_drawn_again(made, tmp_path):
    shutil.copytree(made.path.parent, tmp_path / "set")
    (tmp_path / "set" / "annotations.json").unlink()
    gone, harmed = (tmp_path / "set" / made.videos[k].file_name for k in (1, 3))
    gone.unlink()
    harmed.write_bytes(harmed.read_bytes()[:-100])
    kept = tmp_path / "set" / made.videos[0].file_name
    os.utime(kept, (1, 1))
    again = make_videos(tmp_path / "set", 5, **SMALL)
    assert digests(again) == digests(made)
    assert kept.stat().st_mtime == 1  # not drawn a second time


def test_other_arguments_never_leave_a_mixed_set(made, tmp_path):
    shutil.copytree(made.path.parent, tmp_path / "set")
    other = make_videos(tmp_path / "set", 5, seed=1, **SMALL)
    assert not set(digests(other)) & set(digests(made))
    assert not set(other.sources) & set(made.sources), "sessions a guard against leaks tells apart"


def test_several_cameras_film_the_same_work(made):
    by_source = defaultdict(list)
    for video in made.videos:
        by_source[video.source].append(video)
    assert [len(videos) for videos in by_source.values()] == [1, 2, 1, 1]
    first, second = by_source["U0002/S0100"]
    assert first.segments == second.segments and first.file_name != second.file_name
    pictures = [read_frames(video.path, [3.0]).pixels.astype(int) for video in (first, second)]
    assert np.abs(pictures[0] - pictures[1]).mean() > 8


@pytest.mark.parametrize("cameras", [1, 2, 3])
def test_sessions_and_cameras_are_counted_through(cameras):
    plan = VideoPlan(cameras=cameras)
    pairs = [(int(take.source[1:5]), take.camera) for take in map(plan.take, range(30))]
    assert len(set(pairs)) == 30 and pairs == sorted(pairs)
    most = Counter(session for session, _ in pairs[:-cameras])
    assert set(most.values()) == set(range(1, cameras + 1))
    assert len({plan.take(k).file_name for k in range(30)}) == 30


def followers(takes):
    return [
        (a.operation.name, b.operation.name)
        for take in takes
        if take.camera == 0
        for a, b in pairwise(take.timeline.segments)
    ]


def bigram(pairs):
    """Share that a table of the commonest follower gets right, learned on one half and used on the other."""
    half = len(pairs) // 2
    table = defaultdict(Counter)
    for now, after in pairs[:half]:
        table[now][after] += 1
    return np.mean([table[now].most_common(1)[0][0] == after for now, after in pairs[half:] if now in table])


@pytest.mark.parametrize("world", ["base", "shifted"])
@pytest.mark.parametrize("full", [False, True])
def test_the_true_operation_does_not_give_the_next_one_away(world, full):
    plan = VideoPlan(world=world, full=full, duration_s=120.0)
    pairs = followers([plan.take(k) for k in range(60)])
    assert 0.5 < bigram(pairs) < 0.7
    usual = VideoPlan(world=world, full=full, duration_s=120.0, main=0.97)
    assert bigram(followers([usual.take(k) for k in range(60)])) > 0.9


def test_the_clock_does_not_give_the_operation_away():
    plan = VideoPlan()
    takes = [take for take in map(plan.take, range(240)) if take.camera == 0]
    for time in (0.0, 5.0, 12.0):
        names = [take.timeline.segments[take.timeline.position(time)].operation.name for take in takes]
        assert Counter(names).most_common(1)[0][1] / len(names) < 0.25
    assert len({take.timeline.duration_s for take in takes}) > 5


def test_durations_at_the_full_setting_are_as_varied_as_the_real_ones():
    plan = VideoPlan(full=True, world="base")
    takes = [plan.take(k) for k in range(100)]
    seconds = [one.duration_s for take in takes for one in take.timeline.segments[:-1]]
    assert PACES["full"].low_s - 0.02 <= min(seconds) < 2.5 and 20 < max(seconds) <= 26.02
    assert {one.operation.id for take in takes for one in take.timeline.segments} == {*range(100, 1001, 100)}


def test_some_videos_are_occluded_cluttered_and_walked_through():
    from nbhelpers.data.operations.look import draw_look

    plan = VideoPlan()
    looks = [draw_look(take.timeline, take.camera) for take in map(plan.take, range(100))]
    assert 0.2 < np.mean([look.post is not None for look in looks]) < 0.55
    assert np.mean([len(look.clutter) > 0 for look in looks]) > 0.6
    assert np.mean([len(look.passers) > 0 for look in looks]) > 0.6


@pytest.mark.slow
def test_two_processes_draw_the_same_as_one(made, tmp_path):
    assert digests(make_videos(tmp_path, 8, **SMALL | {"jobs": 2}))[:5] == digests(made)


def test_the_same_frames_give_the_same_bytes_whatever_lies_in_memory():
    """x264's macroblock tree, on by default, makes them depend on memory that was never written."""
    import ctypes

    frames = np.random.default_rng(0).integers(0, 255, (20, 96, 96, 3)).astype(np.uint8)
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        pytest.skip("needs glibc, whose mallopt fills fresh memory with a chosen byte")
    try:
        written = set()
        for fill in (0x00, 0x11, 0x55, 0x7F, 0xAA, 0xE3):
            libc.mallopt(-6, fill)
            written.add(encode_video(frames, 10))
    finally:
        libc.mallopt(-6, 0)
    assert len(written) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"count": 0}, "at least 1"),
        ({"seed": -1}, "0 or more"),
        ({"world": "mars"}, "known worlds"),
        ({"main": 1.5}, "from 0 to 1"),
        ({"duration_s": 1.0}, "4 to 3600"),
        ({"size_px": 85}, "even number"),
        ({"fps": 25}, "every tenth of a second"),
        ({"cameras": 0}, "1 to 9"),
    ],
)
def test_bad_input_is_named(tmp_path, arguments, reason):
    with pytest.raises(BadInput, match=reason):
        make_videos(tmp_path, **arguments)
    assert not any(tmp_path.iterdir())


def test_every_frame_can_be_read(made):
    frames = read_all_frames(made.videos[1].path)
    assert frames.pixels.shape == (made.videos[1].num_frames, 84, 84, 3)
    assert frames.decoded == made.videos[1].num_frames
