"""The geometry of all annotations as columns."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.validate.draft import Draft


class Kind(IntEnum):
    """How an annotation's mask is written."""

    NONE, POLYGONS, STRING, COUNTS = range(4)


class BoxState(IntEnum):
    """Whether an annotation's box can be used."""

    ABSENT, GOOD, BAD = range(3)


@dataclass
class Shapes:
    """Columns over all annotation rows; rows that are dropped hold zeros or NaN.

    Attributes:
        boxes: (n, 4) float64, XYWH pixels; NaN where not good.
        box_state: (n,) uint8, a `BoxState`.
        box_fault: row to why its box is bad, as (code, message).
        kind: (n,) uint8, a `Kind`.
        area: (n,) float64, pixels of the mask; NaN without a measured mask.
        mask_boxes: (n, 4) float64, tight XYWH box of the mask in pixels; NaN without a measured mask.
    """

    boxes: NDArray[np.float64]
    box_state: NDArray[np.uint8]
    box_fault: dict[int, tuple[str, str]]
    kind: NDArray[np.uint8]
    area: NDArray[np.float64]
    mask_boxes: NDArray[np.float64]

    def lose_mask(self, draft: Draft, row: int, code: str, message: str, *, had_content: bool = True) -> None:
        """Take an unusable mask away; the annotation stays as a box where it has a good one."""
        draft.annotations[row]["segmentation"] = []
        self.kind[row] = Kind.NONE
        self.area[row] = self.mask_boxes[row] = np.nan
        message += "; mask removed"
        draft.annotation(row, code, message, "repaired", "error" if had_content else "warning")

    def spoil_box(self, row: int, code: str, message: str) -> None:
        """Mark a box as unusable, with the reason."""
        self.box_state[row] = BoxState.BAD
        self.boxes[row] = np.nan
        self.box_fault[row] = (code, message)
