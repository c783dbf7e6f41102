"""What a validation found: every item, and counts that must add up."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nbhelpers.artifacts import write_json

Severity = Literal["error", "warning", "info"]
Action = Literal["kept", "repaired", "dropped"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
REPORT_FILE = "validation_report.json"


@dataclass(frozen=True, slots=True)
class Item:
    """One finding.

    Severity follows one rule. `error`: something that held content was lost (a record dropped, a mask taken
    away), or nothing usable is left. `warning`: repaired, doubtful, or an exact copy dropped. `info`: a note.

    Attributes:
        severity: see above.
        code: the kind of finding, a fixed word (`box_clipped`); the same in every version.
        file: the image's file name, or the JSON file for findings about the document.
        image_id, annotation_id: as in the document where they are numbers or text, else None.
        message: one sentence with the values.
        action: what became of the record (`kept` for findings about the whole set).
    """

    severity: Severity
    code: str
    file: str
    image_id: int | str | None
    annotation_id: int | str | None
    message: str
    action: Action

    def to_dict(self) -> dict[str, Any]:
        """The item as a JSON object."""
        return {key: getattr(self, key) for key in self.__slots__}


@dataclass(frozen=True)
class Counts:
    """What became of the records of one kind."""

    kept: int
    repaired: int
    dropped: int

    @property
    def total(self) -> int:
        """How many records came in: the sum."""
        return self.kept + self.repaired + self.dropped

    @property
    def usable(self) -> int:
        """How many records are left."""
        return self.kept + self.repaired

    def to_dict(self) -> dict[str, int]:
        """`in`, `kept`, `repaired`, `dropped`; `in` is their sum."""
        return {"in": self.total, "kept": self.kept, "repaired": self.repaired, "dropped": self.dropped}


@dataclass
class Report:
    """The outcome of one validation.

    Attributes:
        path: the JSON file that was validated.
        images, annotations: counts of records.
        items: findings in the order they were made.
        mode: `detection`, `segmentation` or `detection_and_segmentation`; None when nothing is left.
        strict: whether warnings count as errors.
        decode: `none`, `headers` or `full`: how far the image files were looked at.
        statistics: filled in by later steps; an empty object until then.
    """

    path: Path
    images: Counts
    annotations: Counts
    items: list[Item]
    mode: str | None
    strict: bool = False
    decode: str = "headers"
    statistics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether something usable is left and, when strict, nothing worse than a note was found."""
        usable = bool(self.images.usable and self.annotations.usable)
        return usable and not (self.strict and any(item.severity != "info" for item in self.items))

    def count(self, severity: Severity) -> int:
        """How many items have this severity."""
        return sum(item.severity == severity for item in self.items)

    def to_dict(self, statistics: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The fixed JSON form; `statistics` replaces the report's own."""
        return {
            "file": str(self.path),
            "ok": self.ok,
            "strict": self.strict,
            "decode": self.decode,
            "mode": self.mode,
            "images": self.images.to_dict(),
            "annotations": self.annotations.to_dict(),
            "severities": {severity: self.count(severity) for severity in SEVERITIES},
            "items": [item.to_dict() for item in self.items],
            "statistics": dict(self.statistics if statistics is None else statistics),
        }

    def summary(self) -> list[dict[str, Any]]:
        """Table rows `severity`, `code`, `action`, `count`, `example`; the gravest come first."""
        groups = Counter((item.severity, item.code, item.action) for item in self.items)
        first = {(item.severity, item.code, item.action): item.message for item in reversed(self.items)}
        order = sorted(groups, key=lambda key: (SEVERITIES.index(key[0]), -groups[key], key[1]))
        return [
            {
                "severity": key[0],
                "code": key[1],
                "action": key[2],
                "count": groups[key],
                "example": first[key],
            }
            for key in order
        ]

    def write(self, path: Path, statistics: Mapping[str, Any] | None = None) -> Path:
        """Write the fixed JSON form to `path`, or to `validation_report.json` in it when it is a folder."""
        target = Path(path) / REPORT_FILE if Path(path).is_dir() else Path(path)
        return write_json(target, self.to_dict(statistics))
