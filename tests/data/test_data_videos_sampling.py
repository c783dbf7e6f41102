"""Which frames are looked at, and that their times are true."""

import numpy as np
import pytest

from nbhelpers.data.videos import encode_video, picture_changes, probe_video, read_frames, sample_times
from nbhelpers.data.videos.changes import entropy_bits
from nbhelpers.errors import BadInput

HOWS = ("uniform", "entropy", "mixed")


def film(path, moving, count=100, fps=10, size=64):
    """Noise that stands still, with a square that jumps about in the frames of `moving`."""
    rng = np.random.default_rng(0)
    still = rng.integers(60, 120, (size, size, 3)).astype(np.uint8)
    frames = []
    for k in range(count):
        frame = still.copy()
        if k in moving:
            x, y = rng.integers(0, size - 24, 2)
            frame[y : y + 24, x : x + 24] = rng.integers(0, 255, 3)
        frames.append(frame)
    path.write_bytes(encode_video(frames, fps))
    return path


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """Ten seconds in which something happens from 4 to 6 s."""
    return film(tmp_path_factory.mktemp("films") / "busy.mp4", range(40, 60))


def test_uniform_is_evenly_spaced_from_the_start(busy):
    assert sample_times(busy, 5) == pytest.approx([0, 2, 4, 6, 8])
    assert sample_times(busy, 4, start_s=1, end_s=3) == pytest.approx([1, 1.5, 2, 2.5])
    assert sample_times(probe_video(busy), 8, start_s=2, end_s=6) == pytest.approx(2 + 0.5 * np.arange(8))


def test_entropy_looks_where_the_picture_changes(busy):
    within = [np.mean([(3.9 <= t <= 6.1) for t in sample_times(busy, 8, how)]) for how in HOWS]
    assert within[0] <= 0.25 and within[1] >= 0.75 and within[0] < within[2] < within[1]


def test_entropy_of_a_still_film_is_uniform_enough(tmp_path):
    times = sample_times(film(tmp_path / "still.mp4", ()), 8, "entropy")
    assert len(times) == 8 and np.diff(times).max() < 4


def test_changes_are_high_where_something_moves(busy):
    bits = picture_changes(busy, 0, 99)
    assert bits.shape == (100,) and bits[0] == 0
    assert bits[41:59].min() > 2 * np.median(bits[70:])


def test_entropy_of_known_differences():
    assert entropy_bits(np.zeros((8, 8))) == 0
    assert entropy_bits(np.array([[0, 0], [100, 100]])) == pytest.approx(1)
    assert entropy_bits(np.array([[0, 50], [-100, 200]])) == pytest.approx(2)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("grid", [None, 0.1, 0.5])
def test_times_are_those_of_frames_ascending_and_within_the_stretch(busy, how, grid):
    facts = probe_video(busy)
    times = sample_times(facts, 8, how, 1.0, 9.0, grid)
    assert len(times) == 8 and (np.diff(times) > 0).all()
    assert set(times) <= set(facts.times_s) and times[0] >= 1.0 and times[-1] < 9.0
    if grid:
        steps = (times - 1.0) / grid
        assert steps == pytest.approx(steps.round(), abs=1e-6)
    assert read_frames(busy, times).times_s == pytest.approx(times, abs=1e-9)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("fps", [7, 10, 24, 25, 30])
def test_on_a_grid_frames_lie_at_most_half_a_frame_from_it(tmp_path, how, fps):
    path = film(tmp_path / "film.mp4", range(20, 40), count=5 * fps, fps=fps)
    for grid in (0.1, 0.5):
        times = sample_times(path, 8, how, grid_s=grid)
        off = np.abs(times / grid - (times / grid).round()) * grid
        assert off.max() <= 0.5 / fps + 1e-6
        assert len(np.unique((times / grid).round())) == len(times)


def test_evenly_spaced_on_a_grid_by_whole_steps(busy):
    times = sample_times(busy, 8, start_s=0.5, end_s=7.6, grid_s=0.5)
    assert times == pytest.approx(0.5 + 0.5 * np.arange(8))


def test_a_short_film_gives_what_it_has(tmp_path):
    path = film(tmp_path / "short.mp4", (), count=5)
    for how in HOWS:
        assert sample_times(path, 8, how) == pytest.approx(np.arange(5) / 10)
        assert sample_times(path, 8, how, grid_s=0.2) == pytest.approx([0, 0.2, 0.4])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"how": "random"}, "known are uniform, entropy, mixed"),
        ({"count": 0}, "at least 1"),
        ({"start_s": 3.0, "end_s": 3.0}, "nothing lies between"),
        ({"start_s": -1.0}, "nothing lies between"),
        ({"start_s": 20.0, "end_s": 30.0}, "no frame from 20 to 30 s; it lasts 10 s"),
        ({"grid_s": 0.0}, "seconds above 0"),
        ({"start_s": float("nan")}, "nothing lies between"),
    ],
)
def test_bad_input_is_named(busy, arguments, reason):
    with pytest.raises(BadInput, match=reason):
        sample_times(busy, **arguments)
