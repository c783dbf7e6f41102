"""Masks in COCO's three spellings (polygons, compressed and uncompressed runs) to arrays and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from nbhelpers.data.rle import measure, runs_from_lists, runs_from_strings
from nbhelpers.errors import BadInput

Rle = dict[str, Any]
Mask = NDArray[np.bool_]
# pycocotools allocates about 100 bytes for every pixel of an outline's length and does not look whether it
# got them (`rleFrPoly` in maskApi.c), so longer outlines must not reach it.
LONGEST_OUTLINE_PX = 4e6


def to_rle(segmentation: Any, height: int, width: int) -> Rle:
    """One compressed RLE of any COCO segmentation; several polygons are united.

    Args:
        segmentation: list of polygons `[x0, y0, x1, y1, ...]` in pixels (pixel i covers i to i + 1), or an
            RLE `{"size": [height, width], "counts": str | list[int]}`.
        height: of the image, pixels.
        width: of the image, pixels.

    Returns:
        `{"size": [height, width], "counts": str}`, ready for JSON and for pycocotools.

    Raises:
        BadInput: the segmentation is malformed or of another size; nothing malformed reaches C code.
    """
    if isinstance(segmentation, Mapping):
        return _checked_rle(segmentation, height, width)
    polygons = _checked_polygons(segmentation, height, width)
    return _readable(coco_mask.merge(coco_mask.frPyObjects(polygons, height, width)))


def to_mask(segmentation: Any, height: int, width: int) -> Mask:
    """The mask of any COCO segmentation as an array of shape (height, width), bool.

    Raises:
        BadInput: as `to_rle`.
    """
    decoded: NDArray[np.uint8] = coco_mask.decode(to_rle(segmentation, height, width))
    return decoded.astype(bool)


def mask_to_rle(mask: NDArray[Any]) -> Rle:
    """A compressed RLE `{"size": [H, W], "counts": str}` of an (H, W) mask, ready for JSON."""
    return _readable(coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8)))


def mask_to_polygons(mask: NDArray[Any]) -> list[list[float]]:
    """The outer outlines of an (H, W) mask, one polygon per connected part, along the pixels' edges.

    Drawn again by pycocotools they give the same pixels, with holes filled: polygons in COCO cannot say
    holes, so use `mask_to_rle` where there are some.

    Returns:
        Polygons `[x0, y0, x1, y1, ...]` in pixels of the image, at least four points each.
    """
    import cv2

    # OpenCV walks along pixel centres. On a mask of twice the size each edge has its own centres, and halving
    # upwards puts them on the pixels' edges.
    doubled = np.asarray(mask, dtype=bool).astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outlines = [(np.asarray(contour, dtype=np.int64)[:, 0] + 1) // 2 for contour in contours]
    return [_corners(outline).ravel().tolist() for outline in outlines]


def _corners(points: NDArray[np.integer]) -> NDArray[np.float64]:
    """A closed outline (P, 2) without repeated points and points amid straight lines."""
    points = points[np.any(points != np.roll(points, 1, axis=0), axis=1)]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    back = np.sum(before * after, axis=1) < 0
    return points[turns | back].astype(np.float64)


def mask_area(mask: NDArray[Any] | Mapping[str, Any]) -> int:
    """Foreground pixels of an (H, W) mask or of an RLE."""
    return int(coco_mask.area(_as_rle(mask)))


def box_from_mask(mask: NDArray[Any] | Mapping[str, Any]) -> list[float]:
    """The tight box `[x, y, width, height]` in pixels round all parts of a mask or RLE; zeros if empty."""
    box: list[float] = coco_mask.toBbox(_as_rle(mask)).tolist()
    return box


def _as_rle(mask: NDArray[Any] | Mapping[str, Any]) -> Rle:
    return to_rle(mask, *_size(mask)) if isinstance(mask, Mapping) else mask_to_rle(mask)


def _readable(rle: Mapping[str, Any]) -> Rle:
    counts = rle["counts"]
    height, width = rle["size"]
    return {
        "size": [int(height), int(width)],
        "counts": counts.decode() if isinstance(counts, bytes) else counts,
    }


def _size(rle: Mapping[str, Any]) -> tuple[int, int]:
    size = rle.get("size")
    if not (isinstance(size, Sequence) and len(size) == 2 and all(_is_integer(side) for side in size)):
        raise BadInput(f"RLE: size is {size!r}; it must be [height, width] in pixels")
    return int(size[0]), int(size[1])


def _checked_rle(rle: Mapping[str, Any], height: int, width: int) -> Rle:
    if _size(rle) != (height, width):
        raise BadInput(f"RLE: size {list(_size(rle))} contradicts the image's [{height}, {width}]")
    counts = rle.get("counts")
    if isinstance(counts, bytes):
        counts = counts.decode("ascii", "replace")
    if isinstance(counts, str):
        runs = runs_from_strings([counts])
    elif isinstance(counts, list) and all(_is_integer(count) and abs(count) < 2**40 for count in counts):
        runs = runs_from_lists([counts])
    else:
        raise BadInput("RLE: counts must be a string or a list of whole numbers")
    if not measure(runs, np.array([height]), np.array([width])).valid[0]:
        raise BadInput(f"RLE: counts are broken or do not fill {height} x {width} pixels")
    if isinstance(counts, str):
        return {"size": [height, width], "counts": counts}
    return _readable(coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width))


def _checked_polygons(polygons: Any, height: int, width: int) -> list[list[float]]:
    if not isinstance(polygons, list | tuple) or not polygons:
        raise BadInput("segmentation: must be an RLE or a list of polygons, with at least one")
    reach = 4 * max(height, width)
    for polygon in polygons:
        points = np.asarray(polygon, dtype=object).ravel().tolist()
        if len(points) < 6 or len(points) % 2 or not all(_is_number(value) for value in points):
            raise BadInput("polygon: needs at least three points as x, y, x, y ...")
        if not all(-reach <= value <= reach for value in points):
            raise BadInput(
                f"polygon: points lie far outside the image of {width} x {height} pixels, or are not finite"
            )
        if outline_is_endless(points):
            raise BadInput(f"polygon: its outline is longer than {LONGEST_OUTLINE_PX:.0f} px")
    return [[float(value) for value in polygon] for polygon in polygons]


def outline_is_endless(polygon: Sequence[float]) -> bool:
    """Whether a polygon `[x0, y0, x1, y1, ...]` is too long to be drawn, whatever it encloses."""
    steps = len(polygon) // 2
    if steps < 64 and max(polygon) - min(polygon) < LONGEST_OUTLINE_PX / 64:
        return False
    points = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
    length_px = np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum()
    return bool(length_px > LONGEST_OUTLINE_PX)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
