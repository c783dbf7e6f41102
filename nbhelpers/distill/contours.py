"""One closed contour per object, as the YOLO label format wants it, without losing parts or holes.

A YOLO segmentation label is a single polygon. An object of several parts, or with a hole, is therefore walked
as one
path that crosses from contour to contour on a line and comes back on the same line. Filled by the even-odd
rule, which
`cv2.fillPoly` follows and ultralytics draws with, the holes stay holes; what is lost are the lines
themselves, one pixel
wide where they cross background.
"""

import numpy as np


def single_contour(mask: np.ndarray) -> np.ndarray:
    """The outline of a mask with all its parts and holes as one path.

    Args:
        mask: (H, W) bool.

    Returns:
        (P, 2) float64 XY in pixels, pixel (0, 0) having its centre at (0.5, 0.5); P is 0 for an empty mask
        and at least
        3 otherwise.
    """
    import cv2

    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    contours = sorted((c.reshape(-1, 2) for c in found), key=cv2.contourArea, reverse=True)
    if not contours:
        return np.zeros((0, 2))
    path = contours[0]
    for contour in contours[1:]:
        path = _joined(path, contour)
    path = np.concatenate([path] * 3)[:3] if len(path) < 3 else path  # a speck of one or two pixels
    return path + 0.5


def _joined(path: np.ndarray, contour: np.ndarray) -> np.ndarray:
    """Walk `path` to the vertex nearest `contour`, round the contour, back over the same line, and on."""
    from scipy.spatial import KDTree

    distance, nearest = KDTree(path).query(contour)
    there = int(np.argmin(distance))
    here = int(nearest[there])
    loop = np.roll(contour, -there, axis=0)
    return np.concatenate([path[: here + 1], loop, loop[:1], path[here:]])


def filled(path: np.ndarray, height: int, width: int) -> np.ndarray:
    """Draw a contour the way ultralytics does: vertices cut to whole pixels, filled even-odd; (H, W) bool."""
    import cv2

    mask = np.zeros((height, width), np.uint8)
    if len(path):
        cv2.fillPoly(mask, [path.astype(np.int32)], color=1)
    return mask.astype(bool)
