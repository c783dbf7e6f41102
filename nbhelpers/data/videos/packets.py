"""The packets of a video stream: where its frames are and when they are shown, without decoding them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

_REORDER = 16  # frames; no common codec shows a picture later than this many after the one before it


@dataclass(frozen=True)
class Packets:
    """One entry per frame that is shown, in the order they are stored.

    Attributes:
        pts, dts: (N,) float64 ticks at which a frame is shown and decoded; NaN where the file does not say.
        keys: (N,) bool: decoding can start here.
        last_ticks: how long the last frame is shown; 0 where the file does not say.
        damaged: packets left out because they are cut or marked as damaged.
        reason: why reading stopped before the end of the stream; empty when it did not.
        reordered: the codec may store frames in another order than they are shown in (B-frames).
    """

    pts: np.ndarray
    dts: np.ndarray
    keys: np.ndarray
    last_ticks: float
    damaged: int
    reason: str
    reordered: bool

    def orderly(self) -> bool:
        """Every frame has a time of its own, none goes back behind what was shown before."""
        if np.isnan(self.pts).any() or len(np.unique(self.pts)) < len(self.pts):
            return False
        known = self.dts[~np.isnan(self.dts)]
        if (np.diff(known) < 0).any():
            return False
        if not self.reordered:
            return bool((np.diff(self.pts) > 0).all())
        highest = np.maximum.accumulate(self.pts)
        late = np.flatnonzero(self.keys[1:])
        return bool(
            (self.pts[late + 1] > highest[late]).all()
            and (self.pts[_REORDER + 1 :] > highest[: -_REORDER - 1]).all()
        )


def read_packets(container: Any, stream: Any) -> Packets:
    """Read all packets of a stream; frames that an edit list hides are left out."""
    import av

    rows: list[tuple[float, float, bool, float]] = []
    damaged, reason = 0, ""
    try:
        for packet in container.demux(stream):
            if packet.size == 0 or packet.is_discard:
                continue
            if packet.is_corrupt:
                damaged += 1
                continue
            ticks = (packet.pts, packet.dts)
            pts, dts = (np.nan if tick is None else float(tick) for tick in ticks)
            rows.append((pts, dts, packet.is_keyframe, float(packet.duration or 0)))
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    pts_all = np.array([row[0] for row in rows])
    last = rows[int(np.nanargmax(pts_all))][3] if rows and not np.isnan(pts_all).all() else 0.0
    dts_all, keys = np.array([row[1] for row in rows]), np.array([row[2] for row in rows], bool)
    return Packets(pts_all, dts_all, keys, last, damaged, reason, bool(stream.codec_context.has_b_frames))
