"""What evaluation takes in: a COCO ground truth and results, checked before any tool stumbles over them."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from nbhelpers.artifacts import read_json
from nbhelpers.errors import BadInput

Kind = Literal["bbox", "segm"]
KINDS: tuple[Kind, ...] = ("bbox", "segm")


def read_ground_truth(source: Path | str | dict[str, Any], kind: Kind) -> dict[str, Any]:
    """A COCO document ready for evaluation; the one given is left untouched.

    Annotation ids are counted anew from 1: pycocotools reads a match with id 0 as no match. Missing `iscrowd`
        becomes 0,
    a missing `area` is measured from the mask or the box.

    Raises:
        BadInput: no COCO document, an annotation of an unknown image or category, or one without what `kind`
            needs.
    """
    where = "ground truth" if isinstance(source, dict) else str(source)
    document = source if isinstance(source, dict) else read_json(Path(source))
    if not isinstance(document, dict) or not all(isinstance(document.get(key), list) for key in _LISTS):
        raise BadInput(f"{where}: is no COCO document; it needs the lists images, annotations and categories")
    images = {image["id"]: image for image in document["images"]}
    known = {category["id"] for category in document["categories"]}
    annotations = [
        _annotation(item, number, images, known, kind, where)
        for number, item in enumerate(document["annotations"])
    ]
    return {**{key: document[key] for key in _LISTS}, "info": {}, "annotations": annotations}


_LISTS = ("images", "annotations", "categories")


def _annotation(
    item: dict[str, Any], number: int, images: dict[Any, Any], known: set[Any], kind: Kind, where: str
) -> dict[str, Any]:
    name = f"{where}: annotation {item.get('id', f'number {number}')}"
    if item.get("image_id") not in images:
        raise BadInput(f"{name}: image_id {item.get('image_id')!r} is not in images; validate the set first")
    if item.get("category_id") not in known:
        raise BadInput(
            f"{name}: category_id {item.get('category_id')!r} is not in categories; {_some(known)}"
        )
    if kind == "segm" and not item.get("segmentation"):
        raise BadInput(f"{name}: has no segmentation; evaluate with kind bbox")
    image = images[item["image_id"]]
    needed = kind == "segm" or not item.get("bbox") or not item.get("area")
    rle = (
        to_rle(item["segmentation"], image["height"], image["width"])
        if needed and item.get("segmentation")
        else None
    )
    box = item.get("bbox") or _box_of(rle, name)
    area = item.get("area") or (_area_of(rle) if rle is not None else box[2] * box[3])
    fresh = {
        "id": number + 1,
        "bbox": list(box),
        "area": float(area),
        "iscrowd": int(item.get("iscrowd") or 0),
    }
    return {**item, **fresh, **({"segmentation": rle} if kind == "segm" else {})}


def read_predictions(
    source: Path | str | Iterable[dict[str, Any]], ground_truth: dict[str, Any], kind: Kind
) -> list[dict[str, Any]]:
    """COCO results, each checked against the ground truth's images and categories.

    Args:
        source: a JSON file or a list of `image_id`, `category_id`, `score` and `bbox` (XYWH pixels) or
            `segmentation`
            (RLE, compressed or not, or polygons).
        ground_truth: what `read_ground_truth` returned.
        kind: which of the two is evaluated.

    Raises:
        BadInput: names the first item that cannot be used, by its number in the list, and the mend.
    """
    where = str(source) if isinstance(source, str | Path) else "predictions"
    items = read_json(Path(source)) if isinstance(source, str | Path) else list(source)
    if not isinstance(items, list):
        raise BadInput(f"{where}: is no list of COCO results; give a JSON list of objects")
    images = {image["id"]: image for image in ground_truth["images"]}
    known = {category["id"] for category in ground_truth["categories"]}
    return [
        _prediction(item, f"{where}: item {number}", images, known, kind) for number, item in enumerate(items)
    ]


def _prediction(item: Any, name: str, images: dict[Any, Any], known: set[Any], kind: Kind) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise BadInput(
            f"{name}: is {type(item).__name__}, not an object; give image_id, category_id, score and bbox"
        )
    if item.get("image_id") not in images:
        raise BadInput(
            f"{name}: image_id {item.get('image_id')!r} is not in the ground truth; {_some(images)}"
        )
    if item.get("category_id") not in known:
        raise BadInput(
            f"{name}: category_id {item.get('category_id')!r} is not in the ground truth; {_some(known)}"
        )
    if not _finite(item.get("score")):
        raise BadInput(
            f"{name}: score {item.get('score')!r} is no finite number; give the confidence, 0 to 1"
        )
    kept = {key: item[key] for key in ("image_id", "category_id", "score")}
    if kind == "bbox":
        return kept | {"bbox": _box(item.get("bbox"), name)}
    return kept | {"segmentation": _mask(item.get("segmentation"), images[item["image_id"]], name)}


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _box(box: Any, name: str) -> list[float]:
    if not isinstance(box, list | tuple) or len(box) != 4 or not all(_finite(value) for value in box):
        raise BadInput(f"{name}: bbox {box!r} is not four finite numbers; give x, y, width, height in pixels")
    if box[2] < 0 or box[3] < 0:
        raise BadInput(f"{name}: bbox {box!r} has a negative side; give x, y, width, height in pixels")
    return list(box)


def _mask(segmentation: Any, image: dict[str, Any], name: str) -> dict[str, Any]:
    if not isinstance(segmentation, dict | list) or not segmentation:
        raise BadInput(
            f"{name}: has no segmentation; give RLE with size and counts, or evaluate with kind bbox"
        )
    size = [image["height"], image["width"]]
    if isinstance(segmentation, dict) and list(segmentation.get("size", [])) != size:
        found = segmentation.get("size")
        raise BadInput(f"{name}: segmentation size {found!r} is not the image's {size} (height, width)")
    return to_rle(segmentation, *size)


def to_rle(segmentation: Any, height: int, width: int) -> dict[str, Any]:
    """Polygons, uncompressed or compressed RLE as compressed RLE."""
    from pycocotools import mask as coco_mask

    if isinstance(segmentation, list):
        return dict(coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width)))
    if isinstance(segmentation["counts"], list):
        return dict(coco_mask.frPyObjects(segmentation, height, width))
    return dict(segmentation)


def _area_of(rle: dict[str, Any]) -> float:
    from pycocotools import mask as coco_mask

    return float(coco_mask.area(rle))


def _box_of(rle: dict[str, Any] | None, name: str) -> list[float]:
    from pycocotools import mask as coco_mask

    if rle is None:
        raise BadInput(f"{name}: has neither bbox nor segmentation; validate the set first")
    return [float(value) for value in coco_mask.toBbox(rle)]


def _some(known: Iterable[Any]) -> str:
    """The known ids, shortened."""
    ids = sorted(known, key=str)
    shown = ", ".join(str(value) for value in ids[:10])
    return f"known ids: {shown}" + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")
