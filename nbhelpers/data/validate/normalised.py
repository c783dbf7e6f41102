"""Boxes and polygons given as shares of the image (0..1) instead of pixels."""

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.validate.draft import Draft
from nbhelpers.data.validate.frames import scale_box, scale_polygons
from nbhelpers.data.validate.polygons import extents
from nbhelpers.data.validate.shapes import BoxState, Kind, Shapes

# Rounding in the exporting tool may put a far edge a little above 1.
_SLACK = 1e-3


def scale_normalised(draft: Draft, shapes: Shapes) -> None:
    """Scale boxes to pixels when all of the set's are within 0..1; polygons likewise, on their own."""
    rows = draft.live_annotations()
    boxed = rows[shapes.box_state[rows] == BoxState.GOOD]
    corners = shapes.boxes[boxed].copy()
    corners[:, 2:] += corners[:, :2]
    if _is_normalised(corners, draft.sizes[draft.image_row[boxed]]):
        _scale_boxes(draft, shapes, boxed)
    drawn = rows[shapes.kind[rows] == Kind.POLYGONS]
    if len(drawn) and max(map(max, draft.annotations[int(drawn[0])]["segmentation"])) <= 1 + _SLACK:
        corners = np.array([extents(draft.annotations[row]["segmentation"]) for row in drawn.tolist()])
        if _is_normalised(corners, draft.sizes[draft.image_row[drawn]]):
            _scale_polygons(draft, drawn)


def _is_normalised(corners: NDArray[np.float64], sizes: NDArray[np.int64]) -> bool:
    """Whether XYXY boxes (N, 4) are shares: all within 0..1, not whole numbers, above a pixel when scaled.

    Boxes that stay below a pixel even when scaled prove nothing, so they are left alone.
    """
    if not len(corners) or corners.min() < 0 or corners.max() > 1 + _SLACK:
        return False
    sides = (corners[:, 2:] - corners[:, :2]) * sizes
    return bool(np.median(sides.max(axis=1)) > 1 + 2 * _SLACK and (corners != np.rint(corners)).any())


def _scale_boxes(draft: Draft, shapes: Shapes, rows: NDArray[np.int64]) -> None:
    message = f"all {len(rows)} boxes lie within 0..1: they are shares of the image; scaled to pixels"
    draft.note("boxes_normalised", message, "warning")
    for row in rows.tolist():
        width, height = draft.size_of(row)
        scale_box(draft, shapes, row, width, height)
        _forget_small_area(draft, row)
        draft.annotation(row, "box_normalised", "scaled from shares to pixels", "repaired")


def _scale_polygons(draft: Draft, rows: NDArray[np.int64]) -> None:
    message = f"all polygons of {len(rows)} masks lie within 0..1: they are shares; scaled to pixels"
    draft.note("polygons_normalised", message, "warning")
    for row in rows.tolist():
        scale_polygons(draft.annotations[row], *draft.size_of(row))
        _forget_small_area(draft, row)
        draft.annotation(row, "polygon_normalised", "scaled from shares to pixels", "repaired")


def _forget_small_area(draft: Draft, row: int) -> None:
    """An area below a pixel is a share too; it is measured again later."""
    area = draft.annotations[row].get("area")
    if isinstance(area, int | float) and area <= 1:
        del draft.annotations[row]["area"]
