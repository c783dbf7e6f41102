"""What can only be seen over all annotations: copies, double ids, classes without examples, crowds only."""

from collections import Counter
from typing import Any

import numpy as np

from nbhelpers.data.validate.categories import Categories
from nbhelpers.data.validate.draft import Draft, shown
from nbhelpers.data.validate.shapes import BoxState, Kind, Shapes
from nbhelpers.data.validate.values import LARGEST_ID, IdMap


def drop_copies(draft: Draft, shapes: Shapes) -> None:
    """Drop annotations equal to an earlier one in image, class, crowd mark, box and mask."""
    rows = draft.live_annotations()
    boxes = np.where(
        (shapes.box_state[rows] == BoxState.GOOD)[:, None], shapes.boxes[rows], shapes.mask_boxes[rows]
    )
    classes = np.array([draft.annotations[row]["category_id"] for row in rows.tolist()], dtype=np.int64)
    columns = [*boxes.T, classes, draft.image_row[rows]]
    order = np.lexsort(columns)
    same = np.ones(max(len(rows) - 1, 0), dtype=bool)
    for column in columns:
        same &= np.diff(column[order]) == 0
    starts = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)) == 1)
    ends = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)) == -1)
    for start, end in zip(starts, ends, strict=True):
        _drop_copies_among(draft, sorted(rows[order[start : end + 1]].tolist()))


def _drop_copies_among(draft: Draft, rows: list[int]) -> None:
    """Rows of one image, class and box: the same mask too is a copy, another mask is doubtful."""
    kept: list[int] = []
    for row in rows:
        record = draft.annotations[row]
        twin = next((other for other in kept if _same(draft.annotations[other], record)), None)
        if twin is not None:
            message = (
                f"the same as annotation {draft.annotations[twin].get('id')!r}: image, class, box and mask"
            )
            draft.annotation(row, "annotation_duplicate", message, "dropped", "warning")
            continue
        if kept:
            message = f"the same class and box as annotation {draft.annotations[kept[0]].get('id')!r}"
            draft.annotation(row, "box_duplicate", message, "kept")
        kept.append(row)


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    keys = ("iscrowd", "bbox", "segmentation")
    return all((one.get(key) or None) == (other.get(key) or None) for key in keys)


def number_annotations(draft: Draft) -> None:
    """Give every annotation a whole-number id of its own."""
    rows = draft.live_annotations().tolist()
    raws = [draft.annotations[row].get("id") for row in rows]
    are_numbers = {int}.issuperset(map(type, raws)) and max(map(abs, raws), default=0) < LARGEST_ID
    if are_numbers and len(set(raws)) == len(raws):
        return
    ids, taken = IdMap(raws), set()
    for row, raw in zip(rows, raws, strict=True):
        known = ids.find(raw)
        if type(raw) is int and known == raw and known not in taken:
            taken.add(known)
            continue
        is_double = known in taken
        id_ = known if known is not None and not is_double else ids.fresh()
        taken.add(id_)
        if raw is None:
            code, message = "annotation_id_missing", f"has no id; it is now {id_}"
        elif is_double:
            code, message = "annotation_duplicate_id", f"the id {shown(raw)} is taken; it is now {id_}"
        else:
            code, message = "annotation_id_rewritten", f"the id {shown(raw)} is now {id_}"
        draft.annotation(row, code, message, "repaired")
        draft.annotations[row]["id"] = id_


def note_classes(draft: Draft, categories: Categories) -> None:
    """Point out classes without an annotation."""
    rows = draft.live_annotations().tolist()
    used = Counter(draft.annotations[row]["category_id"] for row in rows)
    for record in categories.records:
        if not used[record["id"]]:
            message = f"category {record['id']} {record['name']!r} has no annotation"
            draft.note("category_unused", message)


def note_annotations(draft: Draft, shapes: Shapes) -> None:
    """Point out what concerns many annotations at once, in one item each."""
    rows = draft.live_annotations()
    if not len(rows):
        return
    crowds = sum(draft.annotations[row]["iscrowd"] for row in rows.tolist())
    if crowds == len(rows):
        message = "every annotation is a crowd: evaluation ignores crowds, and nothing is left to learn"
        draft.note("crowds_only", message, "warning")
    unmasked = int((shapes.kind[rows] == Kind.NONE).sum())
    if 0 < unmasked < len(rows):
        draft.note("masks_incomplete", f"{unmasked} of {len(rows)} annotations have no mask", "warning")
    boxless = int((shapes.box_state[rows] == BoxState.ABSENT).sum())
    if boxless:
        draft.note("boxes_missing", f"{boxless} of {len(rows)} annotations have a mask and no box")
    if any(draft.annotations[row]["id"] == 0 for row in rows.tolist()):
        draft.note("annotation_id_zero", "pycocotools' evaluation reads the annotation id 0 as 'not matched'")
    empty = len(draft.live_images()) - len(np.unique(draft.image_row[rows]))
    if empty:
        draft.note("images_without_annotations", f"{empty} images have no annotation")


def require_something(draft: Draft) -> None:
    """Report an error when no image or no annotation is left."""
    images, annotations = draft.counts()
    if not images.usable:
        message = f"none of {images.total} images can be used"
        draft.note("no_images_left", message, "error")
    if not annotations.usable:
        message = f"none of {annotations.total} annotations can be used"
        draft.note("no_annotations_left", message, "error")
