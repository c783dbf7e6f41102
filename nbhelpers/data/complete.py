"""What follows from the masks and need not be written by hand: tight boxes and areas."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from nbhelpers.data.masks import to_rle
from nbhelpers.data.modes import has_box, has_mask
from nbhelpers.runtime import progress

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet

# A given box this close to the mask's own is the same box, but for how a tool rounds to whole pixels.
NEAR_PX = 1.0
# Areas by corner points and by counted pixels differ by less; beyond it the given one was not the mask's.
NEAR_AREA = 0.05


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

    For each annotation with a mask (polygons of any number of parts, or RLE; crowds too) `bbox` becomes the
    one tight box of all parts, XYWH in pixels, and `area` the number of pixels of the mask. A given box is
    kept where no side is further than a pixel from the mask's. Without a mask, a missing `area` becomes the
    box's. A missing `iscrowd` becomes 0. The set given is not changed.

    Returns:
        The completed set, and every change of a value in the order of the annotations. An area that was
        within 5 % of the mask's is refined without a line of its own.
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
        if area:
            new["area"] = area
            new["bbox"] = entry["bbox"] if has_box(entry) and _near(entry["bbox"], box) else box
    elif not entry.get("area") and has_box(entry):
        new["area"] = float(entry["bbox"][2] * entry["bbox"][3])
    return new


def _measure(segmentation: Any, height: int, width: int) -> tuple[list[float], float]:
    """Tight box (XYWH, pixels) and area (pixels) of a mask, all parts together."""
    from pycocotools import mask as cocomask

    rle = to_rle(segmentation, height, width)
    return [float(value) for value in cocomask.toBbox(rle)], float(cocomask.area(rle))


def _near(box: list[float], tight: list[float]) -> bool:
    """Whether no side of a box is further than a pixel from the tight one."""
    sides = zip(_xyxy(box), _xyxy(tight), strict=True)
    return all(abs(given - wanted) <= NEAR_PX for given, wanted in sides)


def _xyxy(box: list[float]) -> tuple[float, float, float, float]:
    x, y, width, height = box
    return x, y, x + width, y + height


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    keys: list[Literal["bbox", "area", "iscrowd"]] = ["bbox", "iscrowd"]
    if "area" in after and abs((before.get("area") or 0) - after["area"]) > NEAR_AREA * after["area"]:
        keys.append("area")
    return [
        Change(before["id"], before["image_id"], key, before.get(key), after[key])
        for key in keys
        if key in after and after[key] != before.get(key)
    ]
