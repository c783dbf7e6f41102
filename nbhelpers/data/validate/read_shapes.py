"""Reading boxes and masks from whatever the document holds, and mending their spelling."""

from itertools import chain
from typing import Any

import numpy as np

from nbhelpers.data.validate.draft import Draft, shown
from nbhelpers.data.validate.report import Severity
from nbhelpers.data.validate.shapes import BoxState, Kind, Shapes
from nbhelpers.data.validate.values import is_number, number, whole

# Beyond this a coordinate is a mistake, not a place: it is told from a point a little outside the image.
LARGEST_COORDINATE_PX = 1e7
_NUMBERS = {int, float}


def read_shapes(draft: Draft) -> Shapes:
    """Read boxes and masks of all live annotations, mending their spelling; sizes are not looked at yet."""
    n = len(draft.annotations)
    shapes = Shapes(
        boxes=np.full((n, 4), np.nan),
        box_state=np.zeros(n, dtype=np.uint8),
        box_fault={},
        kind=np.zeros(n, dtype=np.uint8),
        area=np.full(n, np.nan),
        mask_boxes=np.full((n, 4), np.nan),
    )
    for row in draft.live_annotations().tolist():
        record = draft.annotations[row]
        _read_box(draft, shapes, row, record)
        _read_mask(draft, shapes, row, record)
    return shapes


def _read_box(draft: Draft, shapes: Shapes, row: int, record: dict[str, Any]) -> None:
    raw = record.get("bbox")
    if _is_plain_box(raw):
        shapes.boxes[row] = raw
        shapes.box_state[row] = BoxState.GOOD
    elif raw is None or raw == [] or raw == {} or raw == "":
        if "bbox" in record:
            del record["bbox"]
            draft.annotation(row, "box_empty", f"bbox is {shown(raw)}; the key is removed", "repaired")
    else:
        _mend_box(draft, shapes, row, raw)


def _is_plain_box(raw: Any) -> bool:
    """Whether a box is four finite floats, as most are: the quick way."""
    if type(raw) is not list or len(raw) != 4:
        return False
    a, b, c, d = raw
    # 0 * value is 0 for finite numbers only.
    return type(a) is type(b) is type(c) is type(d) is float and 0 * a + 0 * b + 0 * c + 0 * d == 0


def _mend_box(draft: Draft, shapes: Shapes, row: int, raw: Any) -> None:
    values = [number(value) for value in raw] if isinstance(raw, list) else []
    if len(values) != 4 or any(value is None for value in values):
        shapes.spoil_box(row, "box_not_numbers", f"bbox {shown(raw)} is not four finite numbers")
        return
    shapes.boxes[row] = values
    shapes.box_state[row] = BoxState.GOOD
    if not all(map(is_number, raw)):
        draft.annotations[row]["bbox"] = values
        draft.annotation(row, "box_text", f"bbox {shown(raw)} is now numbers", "repaired")


def _read_mask(draft: Draft, shapes: Shapes, row: int, record: dict[str, Any]) -> None:
    raw = record.get("segmentation")
    if isinstance(raw, list) and len(raw) == 1 and isinstance(raw[0], dict):
        raw = record["segmentation"] = raw[0]
        draft.annotation(row, "rle_rewritten", "an RLE in a list is now an RLE", "repaired")
    if type(raw) is list:
        if raw and _is_plain(raw):
            shapes.kind[row] = Kind.POLYGONS
        elif raw:
            _read_polygons(draft, shapes, row, raw)
    elif isinstance(raw, dict) and raw:
        _read_rle(draft, shapes, row, raw)
    elif "segmentation" in record:
        record["segmentation"] = []
        had_content = raw is not None and raw != {} and raw != ""
        message = f"segmentation is {shown(raw)}; set to []"
        severity: Severity = "error" if had_content else "warning"
        draft.annotation(row, "mask_empty", message, "repaired", severity)


def _is_plain(parts: list[Any]) -> bool:
    """Whether a segmentation is a list of polygons of at least three points, all of them usable numbers."""
    for part in parts:
        if (
            type(part) is not list
            or len(part) < 6
            or len(part) % 2
            or not _NUMBERS.issuperset(map(type, part))
        ):
            return False
        if not -LARGEST_COORDINATE_PX <= min(part) <= max(part) <= LARGEST_COORDINATE_PX:
            return False
        if any(value != value for value in part):  # NaN passes min and max
            return False
    return True


def _read_polygons(draft: Draft, shapes: Shapes, row: int, raw: list[Any]) -> None:
    parts = [_polygon(part) for part in _nested(raw)]
    usable = [points for points, _ in parts if points]
    faults = [fault for _, fault in parts if fault]
    if not usable:
        only_empty = all(not part for part in raw)
        message = "segmentation holds only empty lists" if only_empty else f"no usable polygon: {faults[0]}"
        code = "mask_empty" if only_empty else "polygon_degenerate"
        shapes.lose_mask(draft, row, code, message, had_content=not only_empty)
        return
    draft.annotations[row]["segmentation"] = usable
    shapes.kind[row] = Kind.POLYGONS
    if faults:
        message = f"{len(faults)} of {len(parts)} polygons removed: {faults[0]}"
        draft.annotation(row, "polygon_degenerate", message, "repaired")
    else:
        draft.annotation(row, "polygon_rewritten", "polygons are now lists of x, y, x, y ...", "repaired")


def _nested(raw: list[Any]) -> list[Any]:
    """The parts of a segmentation; one flat polygon or one list of points is one part."""
    if not any(isinstance(part, list) for part in raw):
        return [raw]
    if len(raw) >= 3 and all(isinstance(part, list) and len(part) == 2 for part in raw):
        return [raw]
    return raw


def _polygon(part: Any) -> tuple[list[float], str | None]:
    """A polygon's coordinates, or an empty list and the reason."""
    if not isinstance(part, list):
        return [], f"{shown(part)} is no list of coordinates"
    if part and all(isinstance(point, list) and len(point) == 2 for point in part):
        part = list(chain.from_iterable(part))
    if len(part) % 2:
        return [], f"{len(part)} coordinates cannot be pairs"
    if len(part) < 6:
        return [], f"{len(part) // 2} points are no area"
    values = [value if is_number(value) else number(value) for value in part]
    if any(value is None or not abs(value) <= LARGEST_COORDINATE_PX for value in values):
        return [], "coordinates that are no finite numbers, or absurdly large"
    return [value for value in values if value is not None], None


def _read_rle(draft: Draft, shapes: Shapes, row: int, raw: dict[str, Any]) -> None:
    size = raw.get("size")
    sides = [whole(side) for side in size] if isinstance(size, list) else []
    if len(sides) != 2 or any(side is None or side < 1 for side in sides):
        shapes.lose_mask(draft, row, "rle_size", f"RLE size {shown(size)} is not [height, width]")
        return
    kind = _read_counts(draft, row, raw)
    if kind == Kind.NONE:
        message = f"RLE counts {shown(raw.get('counts'))} are neither text nor whole numbers"
        shapes.lose_mask(draft, row, "rle_counts", message)
        return
    shapes.kind[row] = kind
    if not all(type(side) is int for side in raw["size"]):
        raw["size"] = sides
        draft.annotation(row, "rle_rewritten", f"RLE size {shown(size)} is now {sides}", "repaired")


def _read_counts(draft: Draft, row: int, raw: dict[str, Any]) -> Kind:
    """How the counts are written, their spelling mended; NONE for what cannot be counts."""
    counts = raw.get("counts")
    if isinstance(counts, str):
        if counts[:2] == "b'" and counts[-1] == "'":
            # Python's spelling of bytes: quotes are no digits of the encoding; backslashes are, and doubled.
            raw["counts"] = counts[2:-1].replace("\\\\", "\\")
            draft.annotation(row, "rle_rewritten", "RLE counts in b'...' are now plain text", "repaired")
        return Kind.STRING
    if type(counts) is list and {int}.issuperset(map(type, counts)) and _in_range(counts):
        return Kind.COUNTS
    if isinstance(counts, list) and all(whole(count) is not None for count in counts):
        raw["counts"] = [whole(count) for count in counts]
        draft.annotation(row, "rle_rewritten", "RLE counts are now whole numbers", "repaired")
        return Kind.COUNTS
    return Kind.NONE


def _in_range(counts: list[int]) -> bool:
    return not counts or -(2**53) < min(counts) <= max(counts) < 2**53
