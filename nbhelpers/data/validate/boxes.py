"""Boxes against their image: size, clipping; made from the mask where the stated one is unusable."""

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.validate.draft import Draft, shown
from nbhelpers.data.validate.polygons import TOLERANCE_PX
from nbhelpers.data.validate.shapes import BoxState, Kind, Shapes

TINY_PX = 1.0


def check_boxes(draft: Draft, shapes: Shapes) -> None:
    """Clip boxes to their images; replace bad ones by the mask's; drop annotations left with neither."""
    rows = draft.live_annotations()
    good = rows[shapes.box_state[rows] == BoxState.GOOD]
    for row in good[(shapes.boxes[good, 2:] <= TOLERANCE_PX).any(axis=1)].tolist():
        box = draft.annotations[row]["bbox"]
        shapes.spoil_box(row, "box_no_area", f"bbox {shown(box)} has no area")
    good = good[shapes.box_state[good] == BoxState.GOOD]
    _note_corners(draft, shapes, good)
    _clip(draft, shapes, good[_reach_px(draft, shapes, good) > TOLERANCE_PX])
    for row in rows[shapes.box_state[rows] == BoxState.BAD].tolist():
        _replace(draft, shapes, row)
    absent = (shapes.box_state[rows] == BoxState.ABSENT) & (shapes.kind[rows] == Kind.NONE)
    for row in rows[absent].tolist():
        draft.annotation(row, "annotation_empty", "has neither a box nor a mask that can be used", "dropped")
    for row in good[(shapes.boxes[good, 2:] < TINY_PX).any(axis=1)].tolist():
        if shapes.box_state[row] == BoxState.GOOD:
            draft.annotation(row, "box_tiny", "the box is less than a pixel wide or high", "kept")


def _reach_px(draft: Draft, shapes: Shapes, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far each box reaches beyond its image, pixels; not above 0 for those inside."""
    boxes, sizes = shapes.boxes[rows], draft.sizes[draft.image_row[rows]]
    far = boxes[:, :2] + boxes[:, 2:] - sizes
    reach: NDArray[np.float64] = np.maximum(-boxes[:, :2], far).max(axis=1, initial=-np.inf)
    return reach


def _note_corners(draft: Draft, shapes: Shapes, rows: NDArray[np.int64]) -> None:
    """Say so when most boxes leave their images as XYWH and all of them fit as two corners, XYXY."""
    boxes, sizes = shapes.boxes[rows], draft.sizes[draft.image_row[rows]]
    fits = (boxes[:, :2] >= 0).all() and (boxes[:, 2:] > boxes[:, :2]).all() and (boxes[:, 2:] <= sizes).all()
    beyond = int((_reach_px(draft, shapes, rows) > 1).sum())
    if fits and beyond > len(rows) / 2:
        message = f"{beyond} of {len(rows)} boxes leave their images, and all fit as x0, y0, x1, y1: "
        draft.note("boxes_look_like_corners", message + "COCO boxes are x, y, width, height", "warning")


def _clip(draft: Draft, shapes: Shapes, rows: NDArray[np.int64]) -> None:
    sizes = draft.sizes[draft.image_row[rows]].astype(np.float64)
    low = np.clip(shapes.boxes[rows, :2], 0, sizes)
    high = np.clip(shapes.boxes[rows, :2] + shapes.boxes[rows, 2:], 0, sizes)
    reach = _reach_px(draft, shapes, rows)
    for row, corner, far, beyond in zip(rows.tolist(), low, high, reach, strict=True):
        _clip_one(draft, shapes, row, corner, far, float(beyond))


def _clip_one(
    draft: Draft,
    shapes: Shapes,
    row: int,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    beyond_px: float,
) -> None:
    raw, (width, height) = draft.annotations[row]["bbox"], draft.size_of(row)
    message = f"bbox {shown(raw)} reaches {beyond_px:.6g} px beyond the image of {width} x {height}"
    sides = high - low
    if (sides <= TOLERANCE_PX).any():
        shapes.spoil_box(row, "box_outside", f"{message} and lies outside it")
        return
    sides = np.where(low + sides > high, np.nextafter(sides, 0), sides)  # rounding must not lead out again
    lost = 1 - float(sides[0] / shapes.boxes[row, 2]) * float(sides[1] / shapes.boxes[row, 3])
    box = [*low.tolist(), *sides.tolist()]
    whole = all(type(value) is int for value in raw)
    draft.annotations[row]["bbox"] = [int(value) for value in box] if whole else box
    shapes.boxes[row] = box
    draft.annotation(row, "box_clipped", f"{message}; {lost:.1%} of it clipped away", "repaired")


def _replace(draft: Draft, shapes: Shapes, row: int) -> None:
    code, message = shapes.box_fault[row]
    if shapes.kind[row] == Kind.NONE:
        draft.annotation(row, code, f"{message}, and there is no usable mask", "dropped")
        return
    box = shapes.mask_boxes[row].tolist()
    draft.annotations[row]["bbox"] = box
    shapes.boxes[row] = box
    shapes.box_state[row] = BoxState.GOOD
    draft.annotation(row, code, f"{message}; made from the mask: {box}", "repaired")
