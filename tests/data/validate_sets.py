"""A good small document, and the check every outcome must pass: the sums add up."""

import json
from pathlib import Path
from typing import Any

from nbhelpers.data.validate import Validation, validate

Document = dict[str, Any]


def good() -> Document:
    """Two images, three annotations with polygons, RLE and a plain box: nothing to find."""
    return {
        "info": {"year": 2026, "mine": [1, 2]},
        "licenses": [{"id": 1, "name": "none"}],
        "images": [
            {"id": 1, "file_name": "a.png", "width": 40, "height": 30, "license": 1},
            {"id": 2, "file_name": "b.png", "width": 40, "height": 30},
        ],
        "categories": [{"id": 1, "name": "box"}, {"id": 3, "name": "cone", "supercategory": "thing"}],
        "annotations": [
            {"id": 10, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [4, 5, 10, 8], "area": 80.0,
             "segmentation": [[4, 5, 14, 5, 14, 13, 4, 13]], "mine": {"kept": True}},
            {"id": 11, "image_id": 1, "category_id": 3, "iscrowd": 1, "bbox": [1, 0, 2, 30],
             "area": 60.0, "segmentation": {"size": [30, 40], "counts": [30, 60, 1110]}},
            {"id": 12, "image_id": 2, "category_id": 3, "iscrowd": 0, "bbox": [20.5, 3.25, 6, 7],
             "area": 42.0, "segmentation": [[20.5, 3, 26, 4, 27, 10, 20, 10]]},
        ],
    }  # fmt: skip


def check(folder: Path, document: Any, **options: Any) -> Validation:
    text = document if isinstance(document, str) else json.dumps(document)
    (folder / "set.json").write_text(text)
    found = validate(folder / "set.json", **{"decode": "none", **options})
    report = found.report.to_dict()
    for kind in ("images", "annotations"):
        counts = report[kind]
        assert counts["in"] == counts["kept"] + counts["repaired"] + counts["dropped"]
        if not isinstance(document, str):
            assert counts["in"] == len(document[kind])
    return found


def tally(found: Validation, kind: str = "annotations") -> tuple[int, int, int]:
    counts = getattr(found.report, kind)
    return counts.kept, counts.repaired, counts.dropped
