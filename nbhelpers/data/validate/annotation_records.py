"""The records of annotations, without their geometry: objects, the image and class they name, crowd marks."""

from typing import Any

from nbhelpers.data.validate.categories import Categories
from nbhelpers.data.validate.draft import Draft, shown
from nbhelpers.data.validate.image_records import ImageRows
from nbhelpers.data.validate.values import whole


def check_annotation_records(draft: Draft, images: ImageRows, categories: Categories) -> None:
    """Link every annotation to its image and class; drop orphans; make `iscrowd` 0 or 1."""
    live = set(draft.live_images())
    known = {record["id"] for record in categories.records}
    for row, record in enumerate(draft.annotations):
        if not isinstance(record, dict):
            draft.annotation(row, "annotation_not_an_object", f"is {shown(record)}", "dropped")
        elif _link_image(draft, row, record, images, live):
            if type(record.get("category_id")) is not int or record["category_id"] not in known:
                _link_category(draft, row, record, categories)
            if type(record.get("iscrowd")) is not int or record["iscrowd"] not in (0, 1):
                _mark_crowd(draft, row, record)


def drop_with_images(draft: Draft) -> None:
    """Drop the annotations of images that were dropped since they were linked."""
    live = set(draft.live_images())
    for row in draft.live_annotations().tolist():
        if int(draft.image_row[row]) not in live:
            _drop_with_image(draft, row)


def _link_image(draft: Draft, row: int, record: dict[str, Any], images: ImageRows, live: set[int]) -> bool:
    raw = record.get("image_id")
    found = images.find(raw)
    if found is None:
        message = f"image_id {shown(raw)} is not in images"
        draft.annotation(row, "annotation_orphan", message, "dropped")
        return False
    id_, draft.image_row[row] = found
    if type(raw) is not int or raw != id_:
        record["image_id"] = id_
        message = f"image_id {shown(raw)} is now {id_}"
        draft.annotation(row, "annotation_image_id_rewritten", message, "repaired")
    if found[1] not in live:
        _drop_with_image(draft, row)
        return False
    return True


def _drop_with_image(draft: Draft, row: int) -> None:
    draft.annotation(row, "image_dropped", "its image was dropped", "dropped")


def _link_category(draft: Draft, row: int, record: dict[str, Any], categories: Categories) -> None:
    raw = record.get("category_id")
    id_, how = categories.find(raw)
    if id_ is None:
        known = sorted(entry["id"] for entry in categories.records)
        message = f"category_id {shown(raw)} is not in categories; known ids: {_ranges(known)}"
        draft.annotation(row, "category_unknown", message, "dropped")
        return
    record["category_id"] = id_
    code = {"merged": "category_merged", "name": "category_by_name"}.get(how, "category_id_rewritten")
    draft.annotation(row, code, f"category_id {shown(raw)} is now {id_}", "repaired")


def _ranges(ids: list[int]) -> str:
    """Ids as text, runs joined: `1-3, 7`."""
    runs: list[list[int]] = []
    for id_ in ids[:2000]:
        if runs and id_ == runs[-1][1] + 1:
            runs[-1][1] = id_
        else:
            runs.append([id_, id_])
    texts = [str(low) if low == high else f"{low}-{high}" for low, high in runs]
    return ", ".join(texts[:12]) + (" ..." if len(texts) > 12 else "") or "none"


def _mark_crowd(draft: Draft, row: int, record: dict[str, Any]) -> None:
    if not draft.is_live(row):
        return
    raw = record.get("iscrowd")
    flag = int(raw) if isinstance(raw, bool) else whole(raw)
    record["iscrowd"] = 1 if flag == 1 else 0
    if raw is None:
        draft.annotation(row, "iscrowd_missing", "iscrowd is missing; set to 0", "repaired")
    else:
        message = f"iscrowd {shown(raw)} is now {record['iscrowd']}"
        draft.annotation(row, "iscrowd_rewritten", message, "repaired")
