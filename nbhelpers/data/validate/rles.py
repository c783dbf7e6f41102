"""Run-length masks against their image: size, counts, emptiness; measured without being decoded."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.rle import Runs, measure, runs_from_lists, runs_from_strings
from nbhelpers.data.validate.draft import Draft
from nbhelpers.data.validate.shapes import Kind, Shapes

_CHUNK = 512


def check_rles(draft: Draft, shapes: Shapes) -> None:
    """Take away run-length masks that contradict their image or are empty, and measure the rest."""
    rows = draft.live_annotations()
    for kind in (Kind.STRING, Kind.COUNTS):
        of_kind = rows[shapes.kind[rows] == kind]
        for start in range(0, len(of_kind), _CHUNK):
            chunk = of_kind[start : start + _CHUNK]
            chunk = chunk[[_size_fits(draft, shapes, row) for row in chunk.tolist()]]
            counts = [draft.annotations[row]["segmentation"]["counts"] for row in chunk.tolist()]
            runs = runs_from_strings(counts) if kind == Kind.STRING else runs_from_lists(counts)
            _store(draft, shapes, chunk, runs)


def _size_fits(draft: Draft, shapes: Shapes, row: int) -> bool:
    size: list[Any] = draft.annotations[row]["segmentation"]["size"]
    width, height = draft.size_of(row)
    if size == [height, width]:
        return True
    swapped = " (width and height swapped)" if size == [width, height] else ""
    message = f"RLE size {size} contradicts the image's [{height}, {width}]{swapped}"
    shapes.lose_mask(draft, row, "rle_size", message)
    return False


def _store(draft: Draft, shapes: Shapes, rows: NDArray[np.int64], runs: Runs) -> None:
    sizes = draft.sizes[draft.image_row[rows]]
    found = measure(runs, heights=sizes[:, 1], widths=sizes[:, 0])
    shapes.area[rows] = found.area
    shapes.mask_boxes[rows] = found.boxes_xywh
    for place in np.flatnonzero(~found.valid | (found.area == 0)).tolist():
        row = int(rows[place])
        if found.valid[place]:
            shapes.lose_mask(draft, row, "mask_empty", "the RLE has no foreground", had_content=False)
        else:
            width, height = draft.size_of(row)
            message = f"RLE counts are broken or do not fill {height} x {width} pixels"
            shapes.lose_mask(draft, row, "rle_counts", message)
