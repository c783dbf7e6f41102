"""What preparation did, as items of the validation report, with its counts kept true."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbhelpers.data.complete import Change
from nbhelpers.data.image_files import Placed, count_ways
from nbhelpers.data.split import missing_classes
from nbhelpers.data.validate import Counts, Item, Report

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet


def with_items(report: Report, items: Sequence[Item]) -> Report:
    """A report with more items; records that were kept and are repaired now move over in the counts."""
    images = _moved(report.images, report.items, items, "image_id", about_images=True)
    annotations = _moved(report.annotations, report.items, items, "annotation_id", about_images=False)
    return replace(report, images=images, annotations=annotations, items=[*report.items, *items])


def _moved(
    counts: Counts, old: Sequence[Item], new: Sequence[Item], key: str, *, about_images: bool
) -> Counts:
    """Count every record once as repaired, however many items say so."""
    before, after = (_repaired(items, key, about_images) for items in (old, new))
    moved = min(len(after - before), counts.kept)
    return Counts(counts.kept - moved, counts.repaired + moved, counts.dropped)


def _repaired(items: Iterable[Item], key: str, about_images: bool) -> set[Any]:
    """Ids of the images (items without an annotation) or annotations that items call repaired."""
    return {
        getattr(item, key)
        for item in items
        if item.action == "repaired" and (item.annotation_id is None) == about_images
    } - {None}


def completion_items(changes: Sequence[Change], names: Mapping[Any, str], file: str) -> list[Item]:
    """A line for every value that did not fit its mask, and one for all that were merely missing.

    They are notes: where the contradiction is grave, validation has warned of it.
    """
    missing = Counter(change.key for change in changes if not change.old)
    items = [
        Item("info", f"{key}_completed", file, None, None, _completed(key, count), "kept")
        for key, count in sorted(missing.items())
        if key != "iscrowd"
    ]
    wrong = [change for change in changes if change.old and change.key != "iscrowd"]
    return items + [_contradiction(change, names[change.image_id]) for change in wrong]


def _completed(key: str, count: int) -> str:
    what = "a box" if key == "bbox" else "an area"
    return f"{count} annotations without {what} got it from their mask or box"


def _contradiction(change: Change, file: str) -> Item:
    old, new = (_short(value) for value in (change.old, change.new))
    message = f"annotation {change.annotation_id}: {change.key} {old} does not fit its mask; now {new}"
    code = f"{change.key}_from_mask"
    return Item("info", code, file, change.image_id, change.annotation_id, message, "repaired")


def _short(value: Any) -> str:
    numbers = value if isinstance(value, list | tuple) else [value]
    return ", ".join(
        f"{number:.6g}" if isinstance(number, int | float) else str(number) for number in numbers
    )


def placement_items(placed: Sequence[Placed]) -> list[Item]:
    """A line for every image that was written anew or renamed, and one that says how the others came here."""
    ways = {how.replace("_", "-"): count for how, count in count_ways(placed).items() if count}
    message = f"{len(placed)} images: " + ", ".join(f"{count} {how}" for how, count in ways.items())
    total = Item("info", "images_placed", "images", None, None, message, "kept")
    return [total, *(_placed(item) for item in placed if item.reasons)]


def _placed(item: Placed) -> Item:
    what = "written anew as plain RGB" if item.how == "rewritten" else "renamed"
    code = "image_rewritten" if item.how == "rewritten" else "image_renamed"
    message = f"image {item.image_id}: {what} as {item.file_name} ({', '.join(item.reasons)})"
    return Item("info", code, item.source, item.image_id, None, message, "repaired")


def copy_items(groups: Sequence[Sequence[int]], file: str) -> list[Item]:
    """A line for every group of images of the same content."""
    return [Item("info", "near_duplicates", file, group[0], None, _group(group), "kept") for group in groups]


def empty_part_items(wanted: Iterable[str], parts: Mapping[str, "CocoSet"], file: str) -> list[Item]:
    """A warning for every part that was asked for and got no image."""
    count = sum(len(part.images) for part in parts.values())
    mend = "add images, or ask for fewer parts"
    messages = [f"part {name} gets none of {count} images; {mend}" for name in wanted if name not in parts]
    return [Item("warning", "part_empty", file, None, None, message, "kept") for message in messages]


def missing_class_items(parts: dict[str, "CocoSet"], file: str) -> list[Item]:
    """A line for every part that lacks a class of the set."""
    items = []
    for part, names in missing_classes(parts).items():
        if names:
            message = f"part {part} shows no {', '.join(names)}: too few images of it to go round"
            items.append(Item("info", "class_missing_in_part", file, None, None, message, "kept"))
    return items


def _group(group: Sequence[int]) -> str:
    ids = ", ".join(map(str, group[:8])) + (" ..." if len(group) > 8 else "")
    return f"images {ids} show the same content ({len(group)}); kept in one part"
