"""Which kind of labels a set holds, and what that recommends for the phases after it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nbhelpers.artifacts import write_json
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet

Mode = Literal["detection", "segmentation", "detection_and_segmentation"]
MODES: tuple[Mode, ...] = ("detection", "segmentation", "detection_and_segmentation")
MODE_FILE = ".mode_config.json"
# A box can always be made from a mask, never a mask from a box: masks must be nearly complete to count.
MASK_SHARE = 0.9
BOX_SHARE = 0.5
# Above this share of upright rectangles the "masks" are boxes in another spelling; below it, square objects.
RECTANGLE_SHARE = 0.95

STUDENTS: dict[Mode, str] = {
    "detection": "yolov8",
    "segmentation": "fastsam",
    "detection_and_segmentation": "yolov8_seg",
}
TEACHERS: dict[Mode, list[str]] = {
    "detection": ["grounding_dino"],
    "segmentation": ["sam"],
    "detection_and_segmentation": ["grounding_dino", "sam"],
}


def has_mask(annotation: Mapping[str, Any]) -> bool:
    """Whether an annotation carries a mask: an RLE, or at least one polygon of three points."""
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, Mapping):
        return bool(segmentation.get("counts"))
    return isinstance(segmentation, list) and any(
        isinstance(part, list) and len(part) >= 6 for part in segmentation
    )


def is_rectangle(annotation: Mapping[str, Any]) -> bool:
    """Whether the mask is one upright rectangle: what tools write that only know boxes."""
    segmentation = annotation.get("segmentation")
    if not isinstance(segmentation, list) or len(segmentation) != 1:
        return False
    xs, ys = segmentation[0][0::2], segmentation[0][1::2]
    corners = set(zip(xs, ys, strict=False))
    return len(corners) == 4 and len(set(xs)) == 2 and len(set(ys)) == 2


def has_box(annotation: Mapping[str, Any]) -> bool:
    """Whether an annotation carries a box of four numbers with an area."""
    box = annotation.get("bbox")
    if not (isinstance(box, list | tuple) and len(box) == 4):
        return False
    return all(isinstance(side, int | float) and side > 0 for side in box[2:])


def detect_mode(coco: "CocoSet") -> Mode:
    """Say whether a set is for detection, segmentation, or both, from the shares of boxes and masks.

    A mode recorded in `info.annotation_mode` (by `prepare`, before it completed the boxes) is kept.
    Otherwise, over all annotations that are not crowds (all, if there are only crowds):

    - at least 90 % have a mask and at least 50 % a box: `detection_and_segmentation`;
    - at least 90 % have a mask and fewer a box: `segmentation`;
    - else `detection`: a mixed set serves as boxes, since a box can be made from a mask and not the reverse.

    Where at least 95 % of the masks are upright rectangles, they are boxes in another spelling: no masks.

    Raises:
        BadInput: the set holds no annotation.
    """
    recorded = coco.info.get("annotation_mode")
    if recorded in MODES:
        return next(mode for mode in MODES if mode == recorded)
    entries = [entry for entry in coco.annotations if not entry.get("iscrowd")] or coco.annotations
    if not entries:
        raise BadInput(f"{coco.path}: holds no annotation, so it has no mode; label some images first")
    masked = [entry for entry in entries if has_mask(entry)]
    rectangles = sum(map(is_rectangle, masked))
    masks = 0.0 if rectangles >= RECTANGLE_SHARE * len(masked) else len(masked) / len(entries)
    boxes = sum(map(has_box, entries)) / len(entries)
    if masks < MASK_SHARE:
        return "detection"
    return "detection_and_segmentation" if boxes >= BOX_SHARE else "segmentation"


def mode_config(coco: "CocoSet", mode: Mode | None = None) -> dict[str, Any]:
    """What later phases read from `.mode_config.json`.

    Returns:
        `annotation_mode`; `num_classes`; `class_mapping` (category id as text to name, in the order of the
        classes' contiguous indices); `recommended_teachers`; `recommended_student`; `distillation_config`.
    """
    mode = mode or detect_mode(coco)
    names = dict(sorted((int(entry["id"]), str(entry["name"])) for entry in coco.categories))
    return {
        "annotation_mode": mode,
        "num_classes": len(names),
        "class_mapping": {str(category_id): name for category_id, name in names.items()},
        "recommended_teachers": list(TEACHERS[mode]),
        "recommended_student": STUDENTS[mode],
        "distillation_config": _distillation(mode, list(names.values())),
    }


def _distillation(mode: Mode, class_names: list[str]) -> dict[str, Any]:
    """How teachers and student fit together; sizes and epochs are settings, not facts of the set."""
    return {
        "teachers": list(TEACHERS[mode]),
        "student": STUDENTS[mode],
        "targets": {"boxes": mode != "segmentation", "masks": mode != "detection"},
        "prompts": class_names,
        "student_inputs": ["image"],
    }


def write_mode_config(path: Path, config: Mapping[str, Any]) -> Path:
    """Write a mode configuration to `path`, or to `.mode_config.json` in it when it is a folder."""
    return write_json(path / MODE_FILE if path.is_dir() else path, config)
