"""Polygons against their image: clipped to it, and measured exactly as pycocotools draws them."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from nbhelpers.data.masks import LONGEST_OUTLINE_PX, outline_is_endless
from nbhelpers.data.validate.draft import Draft
from nbhelpers.data.validate.shapes import Kind, Shapes

TOLERANCE_PX = 1e-3
_CHUNK = 4096
# pycocotools 2.0.11 puts 4 x the number of masks into a uint8 (toBbox), which numpy 2 refuses above 255.
_BATCH = 63


def check_polygons(draft: Draft, shapes: Shapes) -> None:
    """Clip polygons to their images, take away those that cover no pixel, and measure the rest."""
    rows = draft.live_annotations()
    rows = rows[shapes.kind[rows] == Kind.POLYGONS]
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        for row in chunk[_reach_px(draft, chunk) > TOLERANCE_PX].tolist():
            _clip(draft, shapes, row)
        _lose_endless(draft, shapes, chunk[shapes.kind[chunk] == Kind.POLYGONS])
        _measure(draft, shapes, chunk[shapes.kind[chunk] == Kind.POLYGONS])


def extents(parts: Sequence[Sequence[float]]) -> tuple[float, float, float, float]:
    """Smallest x, smallest y, largest x, largest y of polygons."""
    points = list(chain.from_iterable(parts))
    xs, ys = points[0::2], points[1::2]
    return min(xs), min(ys), max(xs), max(ys)


def _reach_px(draft: Draft, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far each annotation's polygons reach beyond the image, pixels; not above 0 for those inside."""
    far = [extents(draft.annotations[row]["segmentation"]) for row in rows.tolist()]
    boxes = np.array(far, dtype=np.float64).reshape(-1, 4)
    sizes = draft.sizes[draft.image_row[rows]]
    reach: NDArray[np.float64] = np.maximum(-boxes[:, :2], boxes[:, 2:] - sizes).max(axis=1, initial=-np.inf)
    return reach


def _clip(draft: Draft, shapes: Shapes, row: int) -> None:
    record, (width, height) = draft.annotations[row], draft.size_of(row)
    low_x, low_y, high_x, high_y = extents(record["segmentation"])
    reach = max(-low_x, -low_y, high_x - width, high_y - height)
    inside = [clip_polygon(part, width, height) for part in record["segmentation"]]
    inside = [part for part in inside if len(part) >= 6]
    message = f"polygon reaches {reach:.6g} px beyond the image of {width} x {height}"
    if not inside:
        shapes.lose_mask(draft, row, "polygon_outside", f"{message} and lies outside it")
        return
    record["segmentation"] = inside
    draft.annotation(row, "polygon_clipped", f"{message}; clipped to it", "repaired")


def clip_polygon(part: Sequence[float], width: float, height: float) -> list[float]:
    """The part of a polygon inside an image, by Sutherland and Hodgman (1974), edge by edge."""
    points: list[tuple[float, ...]] = list(zip(part[0::2], part[1::2], strict=True))
    for axis, bound, sign in ((0, 0.0, 1), (0, float(width), -1), (1, 0.0, 1), (1, float(height), -1)):
        points = _clip_edge(points, axis, bound, sign)
    return list(chain.from_iterable(points))


def _clip_edge(
    points: list[tuple[float, ...]], axis: int, bound: float, sign: int
) -> list[tuple[float, ...]]:
    kept: list[tuple[float, ...]] = []
    for before, point in zip(points[-1:] + points[:-1], points, strict=True):
        was_in, is_in = sign * (before[axis] - bound) >= 0, sign * (point[axis] - bound) >= 0
        if was_in != is_in:
            share = (bound - before[axis]) / (point[axis] - before[axis])
            crossing = [old + share * (new - old) for old, new in zip(before, point, strict=True)]
            crossing[axis] = bound
            kept.append(tuple(crossing))
        if is_in:
            kept.append(point)
    return kept


def _lose_endless(draft: Draft, shapes: Shapes, rows: NDArray[np.int64]) -> None:
    """Take away outlines so long that drawing them would exhaust memory: scribbles over the whole image."""
    for row in rows.tolist():
        if any(outline_is_endless(part) for part in draft.annotations[row]["segmentation"]):
            message = f"an outline of more than {LONGEST_OUTLINE_PX:.0f} px cannot be drawn"
            shapes.lose_mask(draft, row, "polygon_endless", message)


def _measure(draft: Draft, shapes: Shapes, rows: NDArray[np.int64]) -> None:
    """Area and tight box of the drawn masks; single polygons go to pycocotools together, by image size."""
    by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
    several = []
    for row in rows.tolist():
        if len(draft.annotations[row]["segmentation"]) == 1:
            by_size[draft.size_of(row)].append(row)
        else:
            several.append(row)
    for (width, height), group in by_size.items():
        for batch in _batches(group):
            outlines = [draft.annotations[row]["segmentation"][0] for row in batch]
            _store(draft, shapes, batch, coco_mask.frPyObjects(outlines, height, width))
    for row in several:
        _measure_parts(draft, shapes, row)


def _batches(values: list[Any]) -> list[list[Any]]:
    return [values[start : start + _BATCH] for start in range(0, len(values), _BATCH)]


def _measure_parts(draft: Draft, shapes: Shapes, row: int) -> None:
    """Several polygons are one mask; those that cover no pixel are taken away first."""
    parts = draft.annotations[row]["segmentation"]
    width, height = draft.size_of(row)
    drawn = coco_mask.frPyObjects(parts, height, width)
    covers = np.concatenate([coco_mask.area(batch) for batch in _batches(drawn)]) > 0
    if covers.any() and not covers.all():
        draft.annotations[row]["segmentation"] = [parts[index] for index in np.flatnonzero(covers)]
        message = f"{int((~covers).sum())} of {len(parts)} polygons removed: they cover no pixel"
        draft.annotation(row, "polygon_degenerate", message, "repaired")
    _store(draft, shapes, [row], [coco_mask.merge(drawn)])


def _store(draft: Draft, shapes: Shapes, rows: list[int], drawn: list[Any]) -> None:
    areas = coco_mask.area(drawn).astype(np.float64)
    shapes.area[rows] = areas
    shapes.mask_boxes[rows] = coco_mask.toBbox(drawn)
    for row, area in zip(rows, areas, strict=True):
        if area == 0:
            shapes.lose_mask(
                draft, row, "polygon_degenerate", "the polygon covers no pixel", had_content=False
            )
