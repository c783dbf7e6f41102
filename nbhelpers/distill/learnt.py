"""What there is to learn from in a set, counted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet


@dataclass(frozen=True)
class LearntFrom:
    """Counts of one part.

    Attributes:
        images, objects: learnt from.
        empty_images: of the images, those without an object.
        crowds: left out (`iscrowd`), as COCO trainers do.
        boxes_as_masks: objects without a mask where masks are learnt: their box is taken for one.
        teachers: objects a teacher labelled (`source` of the annotation).
    """

    images: int
    objects: int
    empty_images: int
    crowds: int
    boxes_as_masks: int
    teachers: int


def learnt_from(coco: "CocoSet", part: str, masks: bool) -> LearntFrom:
    """Count what a part gives.

    Raises:
        BadInput: it has no image, or not a single object.
    """
    if not coco.images:
        raise BadInput(f"{coco.path}: the {part} part has no images; give it at least one")
    known = set(coco.image_ids)
    every = [entry for entry in coco.annotations if entry["image_id"] in known]
    objects = [entry for entry in every if not entry.get("iscrowd")]
    if not objects:
        raise BadInput(f"{coco.path}: the {part} part has no objects; label at least one")
    without = sum(not entry.get("segmentation") for entry in objects) if masks else 0
    return LearntFrom(
        images=len(coco.images),
        objects=len(objects),
        empty_images=len(known - {entry["image_id"] for entry in objects}),
        crowds=len(every) - len(objects),
        boxes_as_masks=without,
        teachers=sum(entry.get("source") == "teacher" for entry in objects),
    )
