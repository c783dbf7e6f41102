"""Video files as they come: every frame at its true time, or one sentence that says what is wrong."""

import re
import struct

import av
import numpy as np
import odd_videos as odd
import pytest

from nbhelpers.data.videos import probe_video, read_all_frames, read_frames
from nbhelpers.data.videos.timestamps import mend_ticks
from nbhelpers.errors import BadInput

COUNT = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module")
def plain(folder):
    return odd.write_video(folder / "plain.mp4")


def said(path):
    return " ".join(probe_video(path).warnings)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "ts", "webm"])
def test_frames_and_times_of_common_containers(folder, suffix):
    codec = "libvpx" if suffix == "webm" else "libx264"
    path = odd.write_video(folder / f"any.{suffix}", codec=codec, bframes=0 if suffix == "avi" else 2)
    facts, frames = probe_video(path), read_all_frames(path)
    assert (facts.num_frames, facts.fps, facts.duration_s) == (COUNT, 10, 4)
    assert (facts.width, facts.height, facts.rotation_deg, facts.warnings) == (64, 48, 0, ())
    assert facts.times_s == pytest.approx(np.arange(COUNT) / 10, abs=1e-6)
    assert odd.numbers_of(frames) == list(range(COUNT))


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt"),
    [
        ("gif", "gif", "rgb8"),
        ("flv", "flv", "yuv420p"),
        ("wmv", "wmv2", "yuv420p"),
        ("mpg", "mpeg2video", "yuv420p"),
        ("mkv", "mjpeg", "yuvj420p"),
        ("mkv", "ffv1", "yuv420p"),
        ("3gp", "mpeg4", "yuv420p"),
        ("webm", "libvpx-vp9", "yuv420p"),
    ],
)
def test_single_frames_of_older_and_newer_codecs(folder, suffix, codec, pix_fmt):
    fps = 25 if suffix == "mpg" else 10
    path = odd.write_video(folder / f"{codec}.{suffix}", fps=fps, codec=codec, pix_fmt=pix_fmt)
    facts = probe_video(path)
    assert facts.num_frames == COUNT and facts.fps == pytest.approx(fps, rel=0.01)
    assert odd.numbers_of(read_frames(path, facts.times_s[[35, 5, 12]])) == [35, 5, 12]


def test_a_container_that_cannot_seek_is_read_through(plain, monkeypatch):
    from nbhelpers.data.videos import frames

    monkeypatch.setattr(frames, "_jump", lambda *_: iter(()))
    read = read_frames(plain, [3.5, 0.2])
    assert odd.numbers_of(read) == [35, 2] and read.decoded > 36


def test_only_the_frames_needed_are_decoded(plain):
    frames = read_frames(plain, [3.55, 0.0, 3.5])
    assert odd.numbers_of(frames) == [35, 0, 35]
    assert frames.times_s == pytest.approx([3.5, 0, 3.5])
    assert frames.decoded <= 8  # 1 for the first, at most 5 + 2 for 35, whose key frame is 30
    assert read_frames(plain, np.arange(COUNT) / 10).decoded == COUNT


@pytest.mark.parametrize("seed", range(3))
def test_any_frames_in_any_order_equal_those_of_reading_all(shared_data, seed):
    rng = np.random.default_rng(seed)
    for name in ("ppe_cctv_workers.mp4", "nasa_13013.mp4", "rotated_90.mov"):
        path = shared_data / "video" / name
        facts = probe_video(path)
        wanted = rng.uniform(0, facts.duration_s, 4)
        some, every = read_frames(path, wanted), _every(path)
        for pixels, time, asked in zip(some.pixels, some.times_s, wanted, strict=True):
            place = int(np.abs(every.times_s - asked).argmin())
            assert time == every.times_s[place] and (pixels == every.pixels[place]).all()


_kept = {}


def _every(path):
    return _kept.setdefault(path, read_all_frames(path))


def test_the_nearest_frame_is_taken_and_its_true_time_told(folder):
    path = odd.write_video(folder / "slow.mp4", 20, fps=5)
    frames = read_frames(path, [0.09, 0.11, 1.0, 3.99])
    assert frames.times_s == pytest.approx([0.0, 0.2, 1.0, 3.8])
    assert odd.numbers_of(frames) == [0, 1, 5, 19]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_variable_frame_rate_keeps_every_frame_at_its_own_time(folder, suffix):
    times = [0, 0.1, 0.5, 0.52, 1.7, 3.0]
    path = odd.write_video(folder / f"vfr.{suffix}", 6, times_s=times)
    facts = probe_video(path)
    assert facts.times_s == pytest.approx(times, abs=1e-3)
    assert re.search(r"variable frame rate \(0\.020 to 1\.300 s", said(path))
    assert odd.numbers_of(read_frames(path, [0.51, 1.5, 0.3])) == [2, 4, 1]


def test_a_film_whose_clock_starts_anew_goes_on_with_a_warning(folder):
    first = odd.write_video(folder / "one.ts", 20)
    second = odd.write_video(folder / "two.ts", 20, first=20)
    path = folder / "anew.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    facts = probe_video(path)
    assert facts.times_s == pytest.approx(np.arange(COUNT) / 10, abs=1e-3)
    assert "time stamps are missing, go back or leap in 1 place" in said(path)
    assert odd.numbers_of(read_frames(path, [2.5, 0.3, 3.9])) == [25, 3, 39]


def test_a_single_time_stamp_that_goes_back_is_set_between_its_neighbours(folder):
    path = odd.write_video(folder / "slip.mkv", 30, gop=30, bframes=0)
    data = path.read_bytes()
    block = b"\x81" + struct.pack(">h", 1500)
    assert data.count(block) == 1
    path.write_bytes(data.replace(block, b"\x81" + struct.pack(">h", 900)))
    facts = probe_video(path)
    assert facts.times_s == pytest.approx(np.arange(30) / 10, abs=1e-3)
    assert "in 1 place" in said(path)
    assert odd.numbers_of(read_frames(path, [1.5, 0.9])) == [15, 9]


def test_a_stream_without_time_stamps_is_counted(folder):
    path = odd.write_video(folder / "raw.h264")
    facts = probe_video(path)
    assert facts.num_frames == COUNT and (np.diff(facts.times_s) > 0).all()
    assert "time stamps are missing" in said(path)
    assert odd.numbers_of(read_all_frames(path)) == list(range(COUNT))


NAN = float("nan")


@pytest.mark.parametrize(
    ("stamps", "times", "places"),
    [
        ([0, 1, 2, 3, 1.5, 5, 6], [0, 1, 2, 3, 4, 5, 6], 1),
        ([0, 1, 2, 0, 1, 2], [0, 1, 2, 3, 4, 5], 1),
        ([0, 1, 90, 3, 4, 5], [0, 1, 2, 3, 4, 5], 1),
        ([0, 1, 2, 2, 3, 4], [0, 1, 2, 2.5, 3, 4], 1),
        ([5, 6, NAN, 8], [0, 1, 2, 3], 1),
        ([NAN, 5, 6, NAN], [0, 1, 2, 3], 2),
        ([NAN, NAN, NAN], [0, 1, 2], 3),
        ([0, 0, 0], [0, 1, 2], 2),
        ([0, 1, 5, 6], [0, 1, 5, 6], 0),
        ([7], [0], 0),
    ],
)
def test_time_stamps_are_mended_as_little_as_possible(stamps, times, places):
    mended, count = mend_ticks(np.array(stamps, float), 1.0)
    assert mended == pytest.approx(times) and count == places


@pytest.mark.parametrize("seed", range(20))
def test_mended_time_stamps_always_go_forward(seed):
    rng = np.random.default_rng(seed)
    stamps = np.arange(60.0) + 0.3 * rng.random(60)
    for place in rng.integers(0, 60, 8):
        stamps[place] = rng.choice([NAN, rng.uniform(-50, 200)])
    mended, count = mend_ticks(stamps, 1.0)
    assert (np.diff(mended) > 0).all() and count >= np.isnan(stamps).sum()


def test_of_several_streams_one_is_chosen_and_named(folder, shared_data):
    path = odd.write_two_streams(folder / "two.mp4")
    facts, frames = probe_video(path), read_all_frames(path)
    assert f"2 video streams: stream {0 if facts.width == 32 else 1}" in said(path)
    assert len(frames.pixels) == facts.num_frames == {32: 20, 96: 30}[facts.width]
    real = probe_video(shared_data / "video" / "nasa_13013.mp4")
    assert (real.width, real.height, real.num_frames) == (480, 270, 390)
    assert real.warnings == ("2 video streams: stream 3 (480x270) is used",)


@pytest.mark.parametrize(("display", "turn"), [(-90, 90), (180, 180), (90, 270)])
def test_turned_films_come_upright(folder, display, turn):
    lying = read_all_frames(odd.write_video(folder / "lying.mp4", 3))
    path = odd.write_video(folder / f"turned_{turn}.mp4", 3, turn=display)
    facts, frames = probe_video(path), read_all_frames(path)
    assert facts.rotation_deg == turn and f"turned by {turn} degrees" in said(path)
    assert frames.pixels.shape[1:3] == (facts.height, facts.width)
    assert (frames.pixels == np.rot90(lying.pixels, -(turn // 90), axes=(1, 2))).all()


def test_a_real_turned_film_is_upright(shared_data):
    facts = probe_video(shared_data / "video" / "rotated_90.mov")
    assert (facts.width, facts.height, facts.rotation_deg) == (320, 568, 90)
    pixels = read_frames(facts.path, [0.0]).pixels[0].astype(int)
    assert pixels.shape == (568, 320, 3)
    # A keyboard seen from above: the gaps between its rows of keys run across the upright picture.
    dark = pixels.mean(axis=2) < 12
    assert dark.mean(axis=1).max() > 1.5 * dark.mean(axis=0).max()


def test_a_turn_that_is_no_right_angle_is_left_and_said(folder):
    path = odd.write_video(folder / "askew.mp4", 3, turn=45)
    assert probe_video(path).rotation_deg == 0 and "no right angle" in said(path)


def test_a_header_that_lies_is_not_believed(folder):
    honest = odd.write_video(folder / "honest.avi", bframes=0)
    path = odd.patched(honest, b"strh", 8 + 32, 400)
    facts = probe_video(path)
    assert (facts.num_frames, facts.duration_s) == (COUNT, 4.0)
    assert "promises 400 frames, 40 are there" in said(path) and "lasts 40.00 s" in said(path)


def test_a_file_cut_off_behind_its_index_is_used_as_far_as_it_goes(folder):
    # With the index in front, a cut leaves whole frames before it.
    whole = odd.write_video(folder / "front.mp4", options={"movflags": "faststart"}, size=(320, 240))
    path = odd.cut(whole, 0.75)
    facts = probe_video(path)
    assert 5 < facts.num_frames < COUNT and "promises 40 frames" in said(path)
    numbers = odd.numbers_of(read_all_frames(path))
    assert numbers == sorted(numbers) and set(numbers) <= set(range(COUNT))
    assert len(numbers) == facts.num_frames


def test_a_cut_matroska_file_is_used_as_far_as_it_goes(folder):
    path = odd.cut(odd.write_video(folder / "whole.mkv"), 0.6)
    facts = probe_video(path)
    assert 5 < facts.num_frames < COUNT and "its header says it lasts 4.00 s" in said(path)
    assert odd.numbers_of(read_frames(path, [0.0, 0.5])) == [0, 5]


def test_damage_in_the_middle_costs_only_frames_that_need_it(folder):
    whole = odd.write_video(folder / "hurt.mkv", gop=10, bframes=0, size=(160, 120))
    data = bytearray(whole.read_bytes())
    block = data.index(b"\x81" + struct.pack(">h", 1500))
    data[block + 4 : block + 40] = bytes(36)
    whole.write_bytes(data)
    assert probe_video(whole).num_frames == COUNT
    assert odd.numbers_of(read_frames(whole, [0.5, 3.5])) == [5, 35]


def write(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("missing", lambda f: f / "nowhere.mp4", "there is no such file"),
        ("folder", lambda f: f, "is a folder, not a video"),
        ("empty", lambda f: write(f / "empty.mp4", b""), r"is empty \(0 bytes\)"),
        ("text", lambda f: write(f / "text.mp4", b"no video at all, only words"), "is no video that can"),
        ("cut", lambda f: odd.cut(odd.write_video(f / "c.mp4"), 0.7), "is cut off: the index of an MP4"),
        ("audio", lambda f: odd.write_audio(f / "sound.m4a"), r"has no video stream \(1 audio\)"),
        ("nothing", lambda f: odd.write_no_frames(f / "none.mp4"), "no video stream|without a whole frame"),
        ("cut in its index", lambda f: odd.cut(odd.write_video(f / "i.mp4"), 0.3), "is cut off: the index"),
        ("list", lambda f: write(f / "l.m3u8", b"#EXTM3U\n#EXTINF:1,\nplain.mp4\n"), "is no video that can"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_in_one_sentence(folder, plain, name, make, reason):
    for read in (probe_video, lambda path: read_frames(path, [0.0])):
        with pytest.raises(BadInput, match=reason) as caught:
            read(make(folder))
        assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def test_a_film_of_pictures_without_a_frame_in_them(folder):
    path = odd.write_video(folder / "void.mkv", 10, bframes=0)
    data = bytearray(path.read_bytes())
    start = data.index(b"\x1f\x43\xb6\x75")  # a cluster: from here on there are only pictures
    data[start + 40 :] = bytes(len(data) - start - 40)
    path.write_bytes(data)
    with pytest.raises(
        BadInput, match=r"without a whole frame|not one of its frames|no video that can be read"
    ):
        probe_video(path)


def test_a_cover_picture_is_no_film(folder):
    path = folder / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        sound = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.VideoFrame.from_ndarray(odd.numbered(1), format="rgb24")
        container.mux(cover.encode(frame))
        container.mux(cover.encode())
        odd._beep(container, sound)
    with pytest.raises(BadInput, match="has no video stream"):
        probe_video(path)


def test_times_outside_the_film_and_no_times_are_refused(plain):
    for times in ([4.2], [-0.5], [float("nan")]):
        with pytest.raises(BadInput, match="the video lasts from 0 to 4 s"):
            read_frames(plain, times)
    with pytest.raises(BadInput, match="no time was asked for"):
        read_frames(plain, [])


def test_a_changed_file_is_read_anew(folder):
    path = odd.write_video(folder / "again.mp4", 10)
    assert probe_video(path).num_frames == 10
    odd.write_video(path, 25)
    assert probe_video(path).num_frames == 25 and odd.numbers_of(read_frames(path, [2.0])) == [20]


@pytest.mark.parametrize(("size", "pix_fmt"), [((65, 49), "yuv444p"), ((64, 48), "yuv420p10le")])
def test_odd_sizes_and_depths(folder, size, pix_fmt):
    path = odd.write_video(folder / f"{pix_fmt}.mp4", 5, size=size, pix_fmt=pix_fmt)
    frames = read_all_frames(path)
    assert frames.pixels.shape == (5, size[1], size[0], 3) and frames.pixels.dtype == np.uint8
    assert odd.numbers_of(frames) == [0, 1, 2, 3, 4]


def test_a_name_that_looks_like_a_protocol_is_a_file(folder, monkeypatch):
    odd.write_video(folder / "x.mp4", 5)
    (folder / "x.mp4").rename(folder / "concat:x.mp4")
    monkeypatch.chdir(folder)
    assert probe_video("concat:x.mp4").num_frames == 5
