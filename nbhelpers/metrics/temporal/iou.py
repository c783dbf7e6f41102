"""Temporal intersection over union, as ActivityNet's evaluation defines it.

Source: Caba Heilbron et al., ActivityNet, CVPR 2015; `segment_iou` of its evaluation code: the seconds two
segments share over the seconds either covers. There 0/0 is NaN, which is above no threshold; here it is 0.
"""

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.metrics.temporal.answers import Segment, check_segments

# Times told in tenths make exact halves common, and 0.3 - 0.1 is less than 0.2 in binary.
TIE = 1e-9


def tiou(first: Segment, second: Segment) -> float:
    """Shared seconds over covered seconds of two segments (start, end), 0..1; 0 where neither lasts.

    Raises:
        BadInput: a time is not finite, or a segment ends before it starts.
    """
    return float(tiou_matrix(np.array([first]), np.array([second]))[0, 0])


def tiou_matrix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """TIoU of every segment (N, 2) with every segment (M, 2), in seconds: (N, M) float64, 0..1.

    Raises:
        BadInput: as `tiou`, or another shape.
    """
    ours, theirs = _checked(first), _checked(second)
    return _overlap(ours[:, None, :], theirs[None, :, :])


def tiou_pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """TIoU of segment i (N, 2) with segment i (N, 2), in seconds: (N,) float64, 0..1.

    Raises:
        BadInput: as `tiou`, or another shape, or another number of segments.
    """
    ours, theirs = _checked(first), _checked(second)
    if len(ours) != len(theirs):
        raise BadInput(f"tiou: {len(ours)} segments against {len(theirs)}; give one for one")
    return _overlap(ours, theirs)


def reaches(iou: np.ndarray, level: float) -> np.ndarray:
    """Whether each overlap is at least `level`; a tie counts, whatever the last bit of the times says."""
    return iou >= level - TIE


def _checked(segments: np.ndarray) -> np.ndarray:
    made = np.asarray(segments, np.float64)
    if made.ndim != 2 or made.shape[1] != 2:
        raise BadInput(f"segments of shape {made.shape}: give (n, 2), starts and ends in seconds")
    check_segments(made, "segment")
    return made


def _overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    start, end = np.maximum(first[..., 0], second[..., 0]), np.minimum(first[..., 1], second[..., 1])
    common = np.clip(end - start, 0.0, None)
    covered = first[..., 1] - first[..., 0] + second[..., 1] - second[..., 0] - common
    return np.divide(common, covered, out=np.zeros_like(common), where=covered > 0)
