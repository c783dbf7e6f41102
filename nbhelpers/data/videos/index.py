"""Which frames a video has, when each is shown, and from where decoding reaches it."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from nbhelpers.data.videos.container import open_video
from nbhelpers.data.videos.decode import decoded_frames
from nbhelpers.data.videos.packets import Packets, read_packets
from nbhelpers.data.videos.remarks import Header, remarks
from nbhelpers.data.videos.timestamps import mend_ticks
from nbhelpers.errors import BadInput

_USUAL_RATE = 25.0  # frames per second, where neither time stamps nor header say anything


@dataclass(frozen=True)
class FrameIndex:
    """The frames of one stream, in the order they are shown.

    Attributes:
        times_s: (N,) float64 seconds from the first frame, ascending.
        end_s: when the last frame ends.
        pts: (N,) int64 ticks by which a decoded frame is known again; empty where times had to be mended.
        keys: (K,) indices of the frames at which decoding can start.
        key_dts: (K,) int64 ticks to seek to for each of them.
        size_px: width and height as stored.
        turn_deg: clockwise turn that makes a stored picture upright: 0, 90, 180 or 270.
        warnings: a sentence each.
    """

    times_s: np.ndarray
    end_s: float
    pts: np.ndarray
    keys: np.ndarray
    key_dts: np.ndarray
    size_px: tuple[int, int]
    turn_deg: int
    warnings: tuple[str, ...]

    @property
    def seekable(self) -> bool:
        """Single frames can be reached without decoding all before them."""
        return len(self.pts) > 0


def nearest(frame_times_s: np.ndarray, wanted_s: np.ndarray) -> np.ndarray:
    """Numbers of the frames whose time is nearest to each wanted one; the earlier of two.

    Args:
        frame_times_s: (N,) ascending.
        wanted_s: (M,) in any order.
    """
    if len(frame_times_s) == 1:
        return np.zeros(len(wanted_s), np.int64)
    after = np.clip(np.searchsorted(frame_times_s, wanted_s), 1, len(frame_times_s) - 1)
    closer = wanted_s - frame_times_s[after - 1] <= frame_times_s[after] - wanted_s + 1e-9
    return np.where(closer, after - 1, after)


def frame_index(path: Path) -> FrameIndex:
    """The frames of a file; read once, and again when the file has changed.

    Errors name the path as it was given.

    Raises:
        BadInput: see `open_video`; and: no frame in it, or none that can be decoded.
    """
    state = path.stat() if path.is_file() else None
    return _read_index(path, state.st_size if state else 0, state.st_mtime_ns if state else 0)


@lru_cache(maxsize=512)
def _read_index(path: Path, size: int, changed_ns: int) -> FrameIndex:
    with open_video(path) as (container, stream, chosen):
        packets, header = read_packets(container, stream), Header.of(container, stream)
    if not len(packets.pts):
        raise BadInput(f"{path}: has a video stream without a whole frame in it; record or copy it again")
    with open_video(path) as (container, stream, _):
        first = next(decoded_frames(container, stream), None)
    if first is None:
        raise BadInput(f"{path}: not one of its frames can be decoded; the data is damaged or cut off")
    regular = packets.orderly()
    pts, keys, key_dts = _shown(packets, first.pts) if regular else (np.empty(0, np.int64),) * 3
    ticks, mended = (pts.astype(float), 0) if regular else _mended(_all_ticks(path), header)
    times = (ticks - ticks[0]) * header.tick_s
    end = float(times[-1]) + (packets.last_ticks * header.tick_s or _step(times, header))
    notes = remarks(header, packets, times, end, mended, first)
    turn = -first.rotation % 360
    size_px = (first.width, first.height)
    return FrameIndex(
        times, end, pts, keys, key_dts, size_px, turn if turn % 90 == 0 else 0, (*chosen, *notes)
    )


def _shown(packets: Packets, first_pts: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ticks of the frames in the order they are shown, indices of key frames and the ticks to seek to.

    Frames before the first that can be decoded are left out.
    """
    kept = packets.pts >= first_pts
    pts, keys = packets.pts[kept], packets.keys[kept]
    dts = np.where(np.isnan(packets.dts[kept]), pts, packets.dts[kept])
    order = np.argsort(pts, kind="stable")
    places = np.flatnonzero(keys[order])
    return pts[order].astype(np.int64), places, dts[order][places].astype(np.int64)


def _all_ticks(path: Path) -> np.ndarray:
    """Time stamps of all frames as they come out of the decoder; NaN where one has none."""
    with open_video(path) as (container, stream, _):
        stamps = [frame.pts for frame in decoded_frames(container, stream)]
    return np.array([np.nan if stamp is None else float(stamp) for stamp in stamps])


def _mended(ticks: np.ndarray, header: Header) -> tuple[np.ndarray, int]:
    """Ticks that only go forward, and how many places were mended."""
    steps = np.diff(ticks)
    forward = steps[steps > 0]
    usual = float(np.median(forward)) if len(forward) else 1 / (header.rate or _USUAL_RATE) / header.tick_s
    return mend_ticks(ticks, usual)


def _step(times_s: np.ndarray, header: Header) -> float:
    """How long the last frame is shown where the file does not say: as long as most."""
    return float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1 / (header.rate or _USUAL_RATE)
