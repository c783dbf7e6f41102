"""Frames of a video at wanted times: seek, decode what is needed, nothing else."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from nbhelpers.data.videos.container import open_video
from nbhelpers.data.videos.decode import decoded_frames, upright
from nbhelpers.data.videos.index import FrameIndex, frame_index, nearest
from nbhelpers.errors import BadInput

_LATE = 16  # frames; damaged data can put a picture out of turn, further behind it will not come


@dataclass(frozen=True)
class Frames:
    """Frames and when they are really shown.

    Attributes:
        pixels: (N, H, W, 3) uint8 RGB, upright.
        times_s: (N,) float64 true presentation times, seconds from the video's first frame.
        decoded: frames that had to be decoded for it.
        warnings: about the file, a sentence each.
    """

    pixels: np.ndarray
    times_s: np.ndarray
    decoded: int = 0
    warnings: tuple[str, ...] = ()


def read_frames(path: Path | str, times_s: Sequence[float] | np.ndarray) -> Frames:
    """Read the frames shown nearest to some times; their true times come with them.

    Args:
        path: the video.
        times_s: seconds from its first frame, in any order, repeated if one likes.

    Raises:
        BadInput: see `probe_video`; and: a time outside the video, or a frame that cannot be decoded.
    """
    path, wanted = Path(path), np.asarray(times_s, np.float64).reshape(-1)
    index = frame_index(path)
    outside = wanted[~((wanted >= -1e-6) & (wanted <= index.end_s + 1e-6))]
    if len(outside):
        raise BadInput(f"{path}: no frame at {outside[0]:g} s; the video lasts from 0 to {index.end_s:g} s")
    if not len(wanted):
        raise BadInput(f"{path}: no time was asked for; give at least one")
    numbers = nearest(index.times_s, wanted)
    pictures, decoded = decode_numbers(
        path, index, np.unique(numbers), lambda frame: upright(frame, index.size_px, index.turn_deg)
    )
    pixels = np.stack([pictures[int(number)] for number in numbers])
    return Frames(pixels, index.times_s[numbers], decoded, index.warnings)


def read_all_frames(path: Path | str) -> Frames:
    """Every frame of a video, decoded in one go.

    Raises:
        BadInput: see `read_frames`.
    """
    return read_frames(path, frame_index(Path(path)).times_s)


def decode_numbers(
    path: Path, index: FrameIndex, numbers: np.ndarray, convert: Callable[[Any], np.ndarray]
) -> tuple[dict[int, np.ndarray], int]:
    """Decode the frames of some numbers.

    Args:
        path: the video.
        index: its frames.
        numbers: which of them, ascending, none twice.
        convert: makes what is kept of PyAV's frame.

    Returns:
        What was kept, by number, and how many frames were decoded for it.

    Raises:
        BadInput: one of them cannot be decoded.
    """
    pictures: dict[int, np.ndarray] = {}
    decoded, wanted = 0, set(numbers.tolist())
    # A container that cannot seek, or seeks wrongly, is read through; nothing is lost but time.
    for walk in (_seeking, _through) if index.seekable else (_from_the_start,):
        if wanted <= set(pictures):
            break
        with open_video(path) as (container, stream, _):
            for number, frame in walk(container, stream, index, numbers):
                decoded += 1
                if number in wanted and number not in pictures:
                    pictures[number] = convert(frame)
    for number in sorted(wanted - set(pictures)):
        raise BadInput(
            f"{path}: frame {number} at {index.times_s[number]:.3f} s cannot be decoded; the data is damaged"
        )
    return pictures, decoded


def _from_the_start(
    container: Any, stream: Any, index: FrameIndex, numbers: np.ndarray
) -> Iterator[tuple[int, Any]]:
    for number, frame in enumerate(decoded_frames(container, stream)):
        yield number, frame
        if number >= numbers[-1]:
            return


def _through(
    container: Any, stream: Any, index: FrameIndex, numbers: np.ndarray
) -> Iterator[tuple[int, Any]]:
    """All frames with their numbers, up to a little behind the last that is wanted."""
    place = {int(pts): number for number, pts in enumerate(index.pts)}
    for frame in decoded_frames(container, stream):
        number = place.get(frame.pts, -1)
        yield number, frame
        if number >= numbers[-1] + _LATE:
            return


def _seeking(
    container: Any, stream: Any, index: FrameIndex, numbers: np.ndarray
) -> Iterator[tuple[int, Any]]:
    """Decoded frames with their numbers; jumps to a key frame wherever that saves decoding."""
    place = {int(pts): number for number, pts in enumerate(index.pts)}
    frames, reached = decoded_frames(container, stream), -1
    for wanted in numbers:
        key = int(np.searchsorted(index.keys, wanted, side="right")) - 1
        if key >= 0 and index.keys[key] > reached + 1:
            frames = _jump(container, stream, index, key, place)
        found = reached == wanted
        while not found and reached < wanted + _LATE:
            frame = next(frames, None)
            if frame is None:
                break
            number = place.get(frame.pts, -1)
            found, reached = number == wanted, max(reached, number)
            yield number, frame


def _jump(container: Any, stream: Any, index: FrameIndex, key: int, place: dict[int, int]) -> Iterator[Any]:
    """Frames from a key frame on.

    Containers keep their index by either time stamp of a packet, some shifted by an edit list, so a jump
    may land one key frame too late; then an earlier target is tried.
    """
    import av

    for target in (int(index.pts[index.keys[key]]), int(index.key_dts[key]), int(index.key_dts[0])):
        try:
            container.seek(target, stream=stream, backward=True)
        except (av.error.FFmpegError, OSError):
            continue
        frames = decoded_frames(container, stream)
        first = next(frames, None)
        if first is not None and place.get(first.pts, -1) <= index.keys[key]:
            return chain([first], frames)
    return iter(())
