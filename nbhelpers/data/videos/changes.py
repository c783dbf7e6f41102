"""How much happens in a video, frame by frame."""

from pathlib import Path
from typing import Any

import numpy as np

from nbhelpers.data.videos.frames import decode_numbers
from nbhelpers.data.videos.index import frame_index

_SIDE = 48  # pixels the shorter side is brought to: sensor noise averages out, a hand does not
_BINS = 64  # of 4 grey levels each


def picture_changes(path: Path, first: int, last: int) -> np.ndarray:
    """Entropy of what changed from each frame to the next.

    The entropy, in bits, of the histogram of grey level differences to the frame before: near 0 where the
    picture stands still, higher the more different things happen in it. (Shannon 1948; as a measure for
    choosing key frames: Mentzelopoulos and Psarrou, "Key-frame extraction algorithm using entropy
    difference", 2004.)

    Args:
        path: the video.
        first: number of the first frame.
        last: number of the last one, included.

    Returns:
        (last - first + 1,) float64 bits; that of the first frame is 0.

    Raises:
        BadInput: see `read_frames`.
    """
    numbers = np.arange(first, last + 1)
    pictures, _ = decode_numbers(path, frame_index(path), numbers, _small_gray)
    bits = [entropy_bits(pictures[k] - pictures[k - 1]) for k in range(first + 1, last + 1)]
    return np.array([0.0, *bits])


def entropy_bits(difference: np.ndarray) -> float:
    """Entropy of a difference of two pictures, levels -255..255, in bits: 0 to 6."""
    counts = np.histogram(np.abs(difference), bins=_BINS, range=(0, 256))[0]
    shares = counts[counts > 0] / difference.size
    return float(-(shares * np.log2(shares)).sum())


def _small_gray(frame: Any) -> np.ndarray:
    scale = _SIDE / min(frame.width, frame.height)
    width, height = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
    return frame.to_ndarray(format="gray", width=width, height=height, interpolation="AREA").astype(np.int16)
