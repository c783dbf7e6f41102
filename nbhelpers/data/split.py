"""Parts of a set (train, val, test ...): by ratio, stratified over classes, groups of images kept whole."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.data.stratify import stratify
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet

# Files that stand beside the parts in a prepared folder; a part of that name would overwrite one.
RESERVED = {"statistics", "validation_report"}
EXAMPLE = "write it like train:0.7,val:0.15,test:0.15"


def parse_split(text: str) -> dict[str, float]:
    """Read `train:0.7,val:0.15,test:0.15` into names and shares, in the order given.

    Any number of parts with any plain names; the shares are above 0 and sum to 1 (a rounding error of 0.01 is
    scaled away, so that thirds may be written as 0.33).

    Raises:
        BadInput: names the part that cannot be read, and how to write it.
    """
    shares: dict[str, float] = {}
    for item in text.split(","):
        name, share = _part(item, text)
        if name.casefold() in {known.casefold() for known in shares}:
            raise BadInput(f"split {text!r}: part {name!r} is named twice; give every part its own name")
        shares[name] = share
    total = math.fsum(shares.values())
    if abs(total - 1) > 0.01 + 1e-9:
        mend = ",".join(f"{name}:{share / total:.3g}" for name, share in shares.items())
        raise BadInput(f"split {text!r}: the shares sum to {total:g}, not 1; in the same proportion: {mend}")
    return {name: share / total for name, share in shares.items()}


def _part(item: str, text: str) -> tuple[str, float]:
    name, colon, number = (piece.strip() for piece in item.partition(":"))
    if not colon:
        raise BadInput(f"split {text!r}: {item.strip()!r} has no ':' between name and share; {EXAMPLE}")
    check_part_name(name, f"split {text!r}")
    try:
        share = float(number)
    except ValueError:
        raise BadInput(f"split {text!r}: the share of {name} is {number!r}, no number; {EXAMPLE}") from None
    if not math.isfinite(share) or share <= 0:
        raise BadInput(f"split {text!r}: the share of {name} is {number}; give more than 0, or leave it out")
    return name, share


def check_part_name(name: str, where: str) -> None:
    """Refuse a name that cannot be that of a part's file.

    Raises:
        BadInput: starts with `where`.
    """
    if name.casefold() in RESERVED:
        raise BadInput(f"{where}: part {name!r} names a file of the output; take another, like train")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise BadInput(
            f"{where}: part {name!r} is no plain name; use letters, digits, '-' and '_', like train"
        )


def split(
    coco: "CocoSet",
    spec: str,
    seed: int = 0,
    groups: Iterable[Iterable[Any]] | None = None,
    *,
    allow_fewer: bool = False,
) -> dict[str, "CocoSet"]:
    """Split a set into parts that share no image and, as far as the numbers allow, the same mix of classes.

    The result depends on the images' ids and their annotations, not on their order in the file. Every class
    comes into `train` (or else the first part) before any other part, and every part gets an image.

    Args:
        coco: the set; images without annotations are spread by the same shares.
        spec: parts and shares, see `parse_split`.
        seed: chooses among equally good splits.
        groups: sets of image ids that must stay in one part (near-duplicates, frames of one video).
            Groups that share an image become one.
        allow_fewer: with fewer images (or groups) than parts, leave out the parts of the smallest share,
            `train` last of all, rather than raise.

    Returns:
        The parts by name, each with its images in the order of the file and all categories.

    Raises:
        BadInput: the ratio cannot be read; there are no images, or fewer images (or groups) than parts; a
            group names an image that is not in the set.
    """
    shares = parse_split(spec)
    units = _units(sorted(coco.image_ids, key=_order), list(groups or []))
    if units and allow_fewer:
        shares = _largest(shares, len(units))
    _check_enough(len(coco.image_ids), len(units), shares, spec)
    objects, images = _class_counts(coco, units)
    sizes = np.array([len(unit) for unit in units], dtype=np.int64)
    lead = list(shares).index("train") if "train" in shares else 0
    part = stratify(objects, images, sizes, np.array(list(shares.values())), seed, lead)
    chosen: list[set[Any]] = [set() for _ in shares]
    for unit, index in zip(units, part, strict=True):
        chosen[index].update(unit)
    return {
        name: coco.subset([image_id for image_id in coco.image_ids if image_id in ids])
        for name, ids in zip(shares, chosen, strict=True)
    }


def _largest(shares: dict[str, float], count: int) -> dict[str, float]:
    """At most `count` parts, in their order: train (or else the first), then those of the largest shares."""
    lead = "train" if "train" in shares else next(iter(shares))
    kept = sorted(shares, key=lambda name: (name != lead, -shares[name]))[:count]
    total = math.fsum(shares[name] for name in kept)
    return {name: share / total for name, share in shares.items() if name in kept}


def _order(image_id: Any) -> tuple[str, Any]:
    return type(image_id).__name__, image_id


def _units(image_ids: Sequence[Any], groups: Sequence[Iterable[Any]]) -> list[list[Any]]:
    """Groups and single images as lists of image ids, in an order that does not depend on the file."""
    unit_of: dict[Any, set[Any]] = {image_id: {image_id} for image_id in image_ids}
    for group in groups:
        members = list(group)
        unknown = [image_id for image_id in members if image_id not in unit_of]
        if unknown:
            raise BadInput(f"groups: image id {unknown[0]!r} is not in the set; name only its images")
        merged = set().union(*(unit_of[image_id] for image_id in members))
        unit_of.update(dict.fromkeys(merged, merged))
    seen: set[int] = set()
    units = [unit for unit in unit_of.values() if not (id(unit) in seen or seen.add(id(unit)))]  # type: ignore[func-returns-value]
    return [sorted(unit, key=_order) for unit in units]


def _check_enough(images: int, units: int, shares: dict[str, float], spec: str) -> None:
    if units >= len(shares):
        return
    grouped = f" in {units} group{'s' if units > 1 else ''} kept whole" if units < images else ""
    raise BadInput(
        f"split {spec!r}: {images} images{grouped} cannot fill {len(shares)} parts; name {units} at most"
        if units
        else f"split {spec!r}: the set holds no image to split"
    )


def _class_counts(coco: "CocoSet", units: Sequence[Sequence[Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Objects, and images that show the class, per unit and class: two (units, classes) float arrays."""
    objects = np.zeros((len(units), len(coco.class_names)))
    images = np.zeros_like(objects)
    for row, unit in enumerate(units):
        for image_id in unit:
            classes = [coco.class_index[entry["category_id"]] for entry in coco.annotations_of(image_id)]
            np.add.at(objects[row], classes, 1)
            images[row, list(set(classes))] += 1
    return objects, images


def describe(parts: dict[str, "CocoSet"]) -> list[dict[str, Any]]:
    """Rows of a table, one per part: `part`, `images`, `annotations` and each class's count by its name."""
    rows = []
    for name, part in parts.items():
        counts = dict.fromkeys(part.class_names, 0)
        for entry in part.annotations:
            counts[part.class_names[part.class_index[entry["category_id"]]]] += 1
        rows.append(
            {"part": name, "images": len(part.images), "annotations": len(part.annotations), **counts}
        )
    return rows


def missing_classes(parts: dict[str, "CocoSet"]) -> dict[str, list[str]]:
    """Per part, the classes of the set that it lacks: too few images show them, or groups are too large."""
    rows = describe(parts)
    names = next(iter(parts.values())).class_names
    present = [name for name in names if any(row[name] for row in rows)]
    return {row["part"]: [name for name in present if not row[name]] for row in rows}
