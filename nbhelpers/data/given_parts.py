"""A set that comes split already, one COCO file per part: checked part by part and brought into one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.data.coco import CocoSet
from nbhelpers.data.image_files import plain_path
from nbhelpers.data.modes import detect_mode
from nbhelpers.data.split import check_part_name
from nbhelpers.data.validate import Counts, Item, Report, validate
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data.validate.chain import Decode


@dataclass(frozen=True)
class GivenParts:
    """Several checked files as one set.

    Attributes:
        coco: all images and annotations, numbered anew from 1; image names are full paths.
        report: of all files together.
        parts: image ids by part.
        names: image id to the name it should have in a prepared folder, `part/name`.
    """

    coco: CocoSet
    report: Report
    parts: dict[str, list[int]]
    names: dict[int, str]


def read_parts(
    files: Mapping[str, Path], images: Path | None, *, strict: bool, decode: "Decode"
) -> GivenParts:
    """Validate every part and join them.

    Args:
        files: name of the part to its COCO JSON.
        images: one folder for the images of all parts; None looks beside each JSON.
        strict: warnings make the report not ok.
        decode: how far images are looked at, see `validate`.

    Raises:
        BadInput: no parts, a name that cannot be a part's, a file that is no COCO document, or files that
            call one category id by different names.
    """
    if not files:
        raise BadInput("parts: there is none; name at least one, like train=train.json")
    for name in files:
        check_part_name(name, "parts")
    checked = {
        name: validate(Path(path), images, strict=strict, decode=decode) for name, path in files.items()
    }
    sets = {name: each.coco for name, each in checked.items()}
    reports = [each.report for each in checked.values()]
    coco, parts, names = _join(sets)
    return GivenParts(coco, _joined_report(coco, reports), parts, names)


def _join(sets: Mapping[str, CocoSet]) -> tuple[CocoSet, dict[str, list[int]], dict[int, str]]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    parts: dict[str, list[int]] = {name: [] for name in sets}
    names: dict[int, str] = {}
    frames: dict[int, Any] = {}
    for part, coco in sets.items():
        new_id = {image_id: len(images) + place for place, image_id in enumerate(coco.image_ids, start=1)}
        for image in coco.images:
            id_ = new_id[image["id"]]
            parts[part].append(id_)
            names[id_] = f"{part}/{plain_path(image['file_name'])}"
            frames[id_] = coco.frame_of(image["id"])
            images.append({**image, "id": id_, "file_name": str(coco.image_path(image["id"]).resolve())})
        for entry in coco.annotations:
            new = {"id": len(annotations) + 1, "image_id": new_id[entry["image_id"]]}
            annotations.append({**entry, **new})
    first = next(iter(sets.values()))
    joined = replace(
        first,
        images=images,
        annotations=annotations,
        categories=_categories(sets),
        folders=(),
        frames=frames,
    )
    return joined, parts, names


def _categories(sets: Mapping[str, CocoSet]) -> list[dict[str, Any]]:
    """The categories of all parts; an id must mean the same everywhere."""
    known: dict[int, dict[str, Any]] = {}
    for coco in sets.values():
        for record in coco.categories:
            other = known.setdefault(record["id"], record)
            if other["name"] != record["name"]:
                raise BadInput(
                    f"{coco.path}: category {record['id']} is {record['name']!r}, in another part "
                    f"{other['name']!r}; give every part the same categories"
                )
    return [known[id_] for id_ in sorted(known)]


def _joined_report(coco: CocoSet, reports: Sequence[Report]) -> Report:
    def added(kind: str) -> Counts:
        counts = [getattr(report, kind) for report in reports]
        return Counts(
            sum(one.kept for one in counts),
            sum(one.repaired for one in counts),
            sum(one.dropped for one in counts),
        )

    items = [item for report in reports for item in report.items]
    mode = detect_mode(coco) if coco.annotations else None
    return replace(
        reports[0], images=added("images"), annotations=added("annotations"), items=items, mode=mode
    )


def leak_items(parts: Mapping[str, CocoSet], groups: Sequence[Sequence[int]], file: str) -> list[Item]:
    """A warning for every group of copies that the given parts tear apart."""
    part_of = {image_id: name for name, part in parts.items() for image_id in part.image_ids}
    items = []
    for group in groups:
        names = sorted({part_of[image_id] for image_id in group})
        if len(names) > 1:
            ids = ", ".join(map(str, group[:8]))
            message = f"images {ids} show the same content and lie in {' and '.join(names)}"
            items.append(Item("warning", "copies_across_parts", file, group[0], None, message, "kept"))
    return items
