"""Sizes: the document's against the file's; which way an EXIF-turned image was labelled; resized images."""

from collections import defaultdict
from typing import Any

import numpy as np
from PIL import Image

from nbhelpers.data.images import Frame, ImageFacts
from nbhelpers.data.masks import mask_to_rle, to_mask
from nbhelpers.data.rle import is_rle
from nbhelpers.data.validate.draft import Draft
from nbhelpers.data.validate.image_records import set_size
from nbhelpers.data.validate.polygons import extents
from nbhelpers.data.validate.shapes import BoxState, Kind, Shapes
from nbhelpers.errors import BadInput

Size = tuple[int, int]
# Width and height scaled alike to within this share: the image was resized; else the stated size is wrong.
_ASPECT = 0.01
_OVER_PX = 1.0


def settle_sizes(draft: Draft, shapes: Shapes, facts: dict[int, ImageFacts]) -> None:
    """Make every record's size that of its file, in the frame its annotations are in.

    The frame of an EXIF-turned image is the one whose size the record states; without that, the one its
    annotations fit in; without that, the displayed one. Where the record's size is neither, the file's is
    right. The annotations are then pixels of the file, unless they prove to be pixels of the stated size
    (same proportions, and points beyond the file's edge or an RLE of the stated size): those are scaled.
    """
    by_image = _annotations_by_image(draft, set(facts))
    wrong: dict[tuple[float, float], list[tuple[int, Size]]] = defaultdict(list)
    for row in facts:
        stated = (int(draft.sizes[row, 0]), int(draft.sizes[row, 1]))
        frame = _frame(draft, shapes, row, facts[row], stated, by_image[row])
        size = facts[row].displayed_size if frame == "displayed" else (facts[row].width, facts[row].height)
        draft.frames[draft.images[row]["id"]] = frame
        if not all(stated):
            set_size(draft, row, *size)
            message = f"width and height are missing or unusable; now {size[0]} x {size[1]}, from the file"
            draft.image(row, "image_size_missing", message, "repaired")
        elif stated != size:
            wrong[round(size[0] / stated[0], 2), round(size[1] / stated[1], 2)].append((row, size))
    for group in wrong.values():
        _correct(draft, shapes, group, by_image)


def settle_sizes_without_files(draft: Draft, shapes: Shapes) -> None:
    """Where no file says the size, an RLE may; an image without any is dropped."""
    lacking = {row for row in draft.live_images() if not draft.sizes[row].all()}
    by_image = _annotations_by_image(draft, lacking)
    for row in sorted(lacking):
        stated = {_rle_size(draft, shapes, annotation) for annotation in by_image[row]} - {None}
        if len(stated) == 1:
            width, height = next(iter(stated)) or (0, 0)
            set_size(draft, row, width, height)
            message = f"width and height are missing; now {width} x {height}, from its RLE"
            draft.image(row, "image_size_missing", message, "repaired")
        else:
            draft.image(row, "image_size_missing", "its size is not stated and no file says it", "dropped")


def _annotations_by_image(draft: Draft, images: set[int]) -> dict[int, list[int]]:
    grouped: dict[int, list[int]] = defaultdict(list)
    if images:
        for row in draft.live_annotations().tolist():
            if int(draft.image_row[row]) in images:
                grouped[int(draft.image_row[row])].append(row)
    return grouped


def _rle_size(draft: Draft, shapes: Shapes, row: int) -> Size | None:
    """(width, height) that an annotation's RLE states."""
    if shapes.kind[row] not in (Kind.STRING, Kind.COUNTS):
        return None
    height, width = draft.annotations[row]["segmentation"]["size"]
    return int(width), int(height)


def _reach(draft: Draft, shapes: Shapes, rows: list[int]) -> tuple[float, float]:
    """The largest x and y of any box or polygon among annotations, pixels."""
    far = [(0.0, 0.0)]
    for row in rows:
        if shapes.box_state[row] == BoxState.GOOD:
            x, y, width, height = shapes.boxes[row].tolist()
            far.append((x + width, y + height))
        if shapes.kind[row] == Kind.POLYGONS:
            far.append(extents(draft.annotations[row]["segmentation"])[2:])
    return max(x for x, _ in far), max(y for _, y in far)


def _fits(reach: tuple[float, float], size: Size) -> bool:
    return reach[0] <= size[0] + _OVER_PX and reach[1] <= size[1] + _OVER_PX


def _frame(draft: Draft, shapes: Shapes, row: int, facts: ImageFacts, stated: Size, rows: list[int]) -> Frame:
    """Decide the frame of one image and report it; nothing is said where nothing is turned."""
    if facts.exif_orientation == 1:
        return "displayed"
    stored = (facts.width, facts.height)
    turned = f"EXIF orientation {facts.exif_orientation}"
    if stated == facts.displayed_size != stored:
        message = f"{turned}: labelled as displayed, {stated[0]} x {stated[1]}"
        draft.image(row, "image_exif_displayed", message, "kept")
        return "displayed"
    if stated == stored != facts.displayed_size:
        message = f"{turned}: labelled as stored, {stated[0]} x {stated[1]}; viewers show it turned"
        draft.image(row, "image_exif_stored", message, "kept")
        return "stored"
    reach = _reach(draft, shapes, rows)
    is_stored = _fits(reach, stored) and not _fits(reach, facts.displayed_size)
    frame: Frame = "stored" if is_stored else "displayed"
    message = f"{turned}: its size does not say how it was labelled; taken as {frame}"
    draft.image(row, "image_exif_ambiguous", message, "kept")
    return frame


def _correct(
    draft: Draft, shapes: Shapes, group: list[tuple[int, Size]], by_image: dict[int, list[int]]
) -> None:
    """Correct sizes that are wrong by the same factors; scale the annotations if one image proves it."""
    scales = any(_proves_resize(draft, shapes, row, size, by_image[row]) for row, size in group)
    for row, size in group:
        stated = (int(draft.sizes[row, 0]), int(draft.sizes[row, 1]))
        set_size(draft, row, *size)
        taken = "scaled to it" if scales else "taken as pixels of the file"
        message = f"stated as {stated[0]} x {stated[1]}, the file has {size[0]} x {size[1]}; "
        message += f"annotations {taken}"
        draft.image(row, "image_size_contradicts", message, "repaired")
        for annotation in by_image[row] if scales else []:
            scale_annotation(draft, shapes, annotation, size[0] / stated[0], size[1] / stated[1], stated)


def _proves_resize(draft: Draft, shapes: Shapes, row: int, size: Size, rows: list[int]) -> bool:
    stated = (int(draft.sizes[row, 0]), int(draft.sizes[row, 1]))
    if abs(size[0] * stated[1] / (size[1] * stated[0]) - 1) > _ASPECT:
        return False
    reach = _reach(draft, shapes, rows)
    beyond = _fits(reach, stated) and not _fits(reach, size)
    return beyond or any(_rle_size(draft, shapes, annotation) == stated for annotation in rows)


def scale_annotation(
    draft: Draft, shapes: Shapes, row: int, scale_x: float, scale_y: float, old: Size
) -> None:
    """Bring an annotation from an image of size `old` (width, height) to its image's present size."""
    record = draft.annotations[row]
    if shapes.box_state[row] == BoxState.GOOD:
        scale_box(draft, shapes, row, scale_x, scale_y)
    if shapes.kind[row] == Kind.POLYGONS:
        scale_polygons(record, scale_x, scale_y)
    elif is_rle(record.get("segmentation")):
        _resize_rle(draft, row, old)
    if isinstance(record.get("area"), int | float):
        del record["area"]  # measured again later
    message = f"scaled by {scale_x:.4g} and {scale_y:.4g} to the file's size"
    draft.annotation(row, "annotation_scaled", message, "repaired")


def scale_box(draft: Draft, shapes: Shapes, row: int, scale_x: float, scale_y: float) -> None:
    """Scale a good box in its record and in the columns."""
    box = (shapes.boxes[row] * (scale_x, scale_y, scale_x, scale_y)).tolist()
    draft.annotations[row]["bbox"] = box
    shapes.boxes[row] = box


def scale_polygons(record: dict[str, Any], scale_x: float, scale_y: float) -> None:
    """Scale the polygons of a record."""
    record["segmentation"] = [
        [value * (scale_y if place % 2 else scale_x) for place, value in enumerate(part)]
        for part in record["segmentation"]
    ]


def _resize_rle(draft: Draft, row: int, old: Size) -> None:
    """Resize a run-length mask; one that is malformed is left for the check that reports it."""
    record = draft.annotations[row]
    try:
        mask = to_mask(record["segmentation"], old[1], old[0])
    except BadInput:
        return
    resized = Image.fromarray(mask).resize(draft.size_of(row), Image.Resampling.NEAREST)
    record["segmentation"] = {**record["segmentation"], **mask_to_rle(np.asarray(resized))}
