"""Stated areas and boxes against the masks they belong to."""

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.validate.draft import Draft, shown
from nbhelpers.data.validate.shapes import BoxState, Kind, Shapes
from nbhelpers.data.validate.values import is_number, number

# A stated area may be the polygon's own or that of its pixels; the two differ by up to half the outline.
AREA_SHARE = 0.1
AREA_OUTLINE = 0.5
# A stated box contradicts its mask when they overlap badly and an edge is off by more than rounding explains.
BOX_IOU = 0.8
BOX_EDGE_PX = 2.0


def check_measures(draft: Draft, shapes: Shapes) -> None:
    """Fill in missing areas; point out areas and boxes that contradict their masks (they are kept)."""
    rows = draft.live_annotations()
    masked = shapes.kind[rows] != Kind.NONE
    sides = np.where(masked[:, None], shapes.mask_boxes[rows, 2:], shapes.boxes[rows, 2:])
    measured = np.where(masked, shapes.area[rows], sides.prod(axis=1))
    stated = _areas(draft, rows, measured)
    tolerance = AREA_SHARE * np.maximum(stated, measured) + AREA_OUTLINE * sides.sum(axis=1)
    # Without a mask the box is only an upper bound: the area may be that of a mask left out.
    excess = np.where(masked, np.abs(stated - measured), stated - measured)
    for place in np.flatnonzero(excess > tolerance).tolist():
        what = "the mask has" if masked[place] else "the box has"
        message = f"area is {stated[place]:.6g}, {what} {measured[place]:.6g} px"
        draft.annotation(int(rows[place]), "area_contradicts", message, "kept")
    _compare_boxes(draft, shapes, rows[masked & (shapes.box_state[rows] == BoxState.GOOD)])


def _areas(draft: Draft, rows: NDArray[np.int64], measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """The stated areas in pixels, the measured one put in where there is none."""
    stated = measured.copy()
    for place, row in enumerate(rows.tolist()):
        record = draft.annotations[row]
        raw = record.get("area")
        value = number(raw)
        if value is not None and value > 0:
            stated[place] = value
            if not is_number(raw):
                record["area"] = value
                draft.annotation(row, "area_text", f"area {shown(raw)} is now a number", "repaired")
            continue
        record["area"] = float(measured[place])
        if raw is None:
            draft.annotation(row, "area_missing", "area is missing; measured", "repaired")
        else:
            message = f"area {shown(raw)} is not above 0; now {record['area']:.6g}"
            draft.annotation(row, "area_not_positive", message, "repaired")
    return stated


def _compare_boxes(draft: Draft, shapes: Shapes, rows: NDArray[np.int64]) -> None:
    stated, tight = shapes.boxes[rows], shapes.mask_boxes[rows]
    low, tight_low = stated[:, :2], tight[:, :2]
    high, tight_high = low + stated[:, 2:], tight_low + tight[:, 2:]
    overlap = np.clip(np.minimum(high, tight_high) - np.maximum(low, tight_low), 0, None).prod(axis=1)
    iou = overlap / (stated[:, 2:].prod(axis=1) + tight[:, 2:].prod(axis=1) - overlap)
    edge = np.maximum(np.abs(low - tight_low), np.abs(high - tight_high)).max(axis=1, initial=0)
    for place in np.flatnonzero((iou < BOX_IOU) & (edge > BOX_EDGE_PX)).tolist():
        message = f"bbox {shown(stated[place].tolist())} and the mask's {tight[place].tolist()}"
        message += f" overlap with IoU {iou[place]:.3f}"
        draft.annotation(int(rows[place]), "box_contradicts", message, "kept")
