"""What follows from the masks and need not be written by hand: tight boxes and areas."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from nbhelpers.data.masks import to_rle
from nbhelpers.data.modes import has_box, has_mask
from nbhelpers.data.validate.measures import AREA_OUTLINE, AREA_SHARE
from nbhelpers.data.validate.polygons import extents
from nbhelpers.runtime import progress

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet

# How far a side of a given box may be from the mask's, measured by its points or by its pixels (thin tips
# cover no pixel): tools round to whole pixels in either way.
NEAR_PX = 1.0


@dataclass(frozen=True)
class Change:
    """One value that completion set: `old` is None where there was none."""

    annotation_id: Any
    image_id: Any
    key: Literal["bbox", "area", "iscrowd"]
    old: Any
    new: Any


def complete(coco: "CocoSet") -> "CocoSet":
    """Give every annotation that has a mask its tight box and its area; see `complete_with_changes`."""
    return complete_with_changes(coco)[0]


def complete_with_changes(coco: "CocoSet") -> tuple["CocoSet", list[Change]]:
    """Complete a set and say what was changed.

    For each annotation with a mask (polygons of any number of parts, or RLE; crowds too) `bbox` is the one
    tight box round all parts, XYWH in pixels, and `area` the number of pixels of the mask. Given values that
    say the same are kept: a box whose sides lie within a pixel of the mask's, by its points or its pixels; an
    area that `validate` does not find contradicting. Without a mask, a missing `area` is the box's. A missing
    `iscrowd` is 0. The set given is not changed.

    Returns:
        The completed set, and every change of a value in the order of the annotations.
    """
    sizes = {image["id"]: (int(image["height"]), int(image["width"])) for image in coco.images}
    changes: list[Change] = []
    done = []
    for entry in progress(coco.annotations, label="complete boxes", unit="annotation"):
        completed = {**entry, **_completion(entry, *sizes[entry["image_id"]])}
        changes.extend(_changes(entry, completed))
        done.append(completed)
    return replace(coco, annotations=done), changes


def _completion(entry: Mapping[str, Any], height: int, width: int) -> dict[str, Any]:
    """The values that follow from one annotation's mask or box."""
    new: dict[str, Any] = {"iscrowd": int(entry.get("iscrowd") or 0)}
    if has_mask(entry):
        box, area = _measure(entry["segmentation"], height, width)
        if area and not _says_same_box(entry, box):
            new["bbox"] = box
        if area and not _says_same_area(entry, area, box):
            new["area"] = area
    elif not entry.get("area") and has_box(entry):
        new["area"] = float(entry["bbox"][2] * entry["bbox"][3])
    return new


def _measure(segmentation: Any, height: int, width: int) -> tuple[list[float], float]:
    """Tight box (XYWH, pixels) and area (pixels) of a mask, all parts together."""
    from pycocotools import mask as coco_mask

    rle = to_rle(segmentation, height, width)
    return [float(value) for value in coco_mask.toBbox(rle)], float(coco_mask.area(rle))


def _says_same_box(entry: Mapping[str, Any], tight: list[float]) -> bool:
    """Whether the given box is the mask's own, by its pixels or by its points."""
    if not has_box(entry):
        return False
    pixels, points = _xyxy(tight), _points(entry["segmentation"]) or _xyxy(tight)
    return all(
        min(pair) - NEAR_PX <= side <= max(pair) + NEAR_PX
        for side, *pair in zip(_xyxy(entry["bbox"]), pixels, points, strict=True)
    )


def _points(segmentation: Any) -> tuple[float, float, float, float] | None:
    """XYXY round the points of polygons, None for an RLE."""
    return extents(segmentation) if isinstance(segmentation, list) else None


def _says_same_area(entry: Mapping[str, Any], area: float, tight: list[float]) -> bool:
    given = entry.get("area") or 0.0
    outline = tight[2] + tight[3]
    return abs(given - area) <= AREA_SHARE * max(given, area) + AREA_OUTLINE * outline and given > 0


def _xyxy(box: list[float]) -> tuple[float, float, float, float]:
    x, y, width, height = box
    return x, y, x + width, y + height


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    keys: tuple[Literal["bbox", "area", "iscrowd"], ...] = ("bbox", "area", "iscrowd")
    return [
        Change(before["id"], before["image_id"], key, before.get(key), after[key])
        for key in keys
        if key in after and after[key] != before.get(key)
    ]
