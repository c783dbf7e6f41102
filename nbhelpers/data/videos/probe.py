"""What a video file holds, found by reading it instead of believing its header."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nbhelpers.data.videos.index import frame_index


@dataclass(frozen=True)
class VideoFacts:
    """A video as it is, not as its header says.

    Attributes:
        path: the file.
        duration_s: from the first frame's start to the last one's end.
        fps: mean frames per second.
        num_frames: frames that can be read.
        width, height: of the upright picture in pixels.
        rotation_deg: clockwise turn that makes a stored frame upright (`read_frames` does it): 0, 90, 180,
            270.
        times_s: (num_frames,) float64 presentation times in seconds from the first frame, ascending.
        warnings: what differs from what one would expect, and what was used, a sentence each.
    """

    path: Path
    duration_s: float
    fps: float
    num_frames: int
    width: int
    height: int
    rotation_deg: int
    times_s: np.ndarray
    warnings: tuple[str, ...] = ()


def probe_video(path: Path | str) -> VideoFacts:
    """Look at a video: all its packets are read, one frame is decoded.

    Frames are counted and timed by what is in the file. Where time stamps are missing or go back, the whole
    file is decoded once.

    Raises:
        BadInput: names the file and what is wrong: missing, empty, no video, cut off before its index, no
            video stream (audio alone), no frame, or none that can be decoded.
    """
    index = frame_index(Path(path))
    width, height = index.size_px if index.turn_deg % 180 == 0 else index.size_px[::-1]
    count = len(index.times_s)
    return VideoFacts(
        Path(path),
        round(index.end_s, 6),
        round(count / index.end_s, 6),
        count,
        width,
        height,
        index.turn_deg,
        index.times_s,
        index.warnings,
    )
