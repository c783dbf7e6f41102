"""A COCO set with augmented copies beside its originals; a run that was cut goes on where it stopped."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.artifacts import (
    append_record,
    read_records,
    sha256_file,
    sha256_value,
    write_atomic,
    write_json,
)
from nbhelpers.data.augment.augmenter import Augmenter, build_augmenter
from nbhelpers.data.augment.conditions import Conditions
from nbhelpers.data.augment.sample import Sample, sample_of
from nbhelpers.errors import BadInput
from nbhelpers.runtime import progress

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet

JOURNAL = ".augmented.jsonl"
DOCUMENT = "annotations.json"
JPEG_QUALITY = 95
_MADE_ANEW = {"id", "image_id", "bbox", "area", "segmentation", "keypoints", "num_keypoints"}


@dataclass(frozen=True)
class AugmentedSet:
    """What was written.

    Attributes:
        path: the COCO document.
        originals, copies, annotations: how many of each it holds.
        made: copies made by this call; the others were there already.
        lost: objects of the originals that are in none of their copies' labels, summed over copies.
    """

    path: Path
    originals: int
    copies: int
    annotations: int
    made: int
    lost: int


def write_augmented(
    coco: "CocoSet", conditions: Conditions, output: Path, copies: int = 1, *, quality: int = JPEG_QUALITY
) -> AugmentedSet:
    """Write the set with `copies` augmented versions of each picture.

    A copy depends on the conditions, the picture, its labels and its number alone. Copies that are there
    already, unharmed, are not made again. Originals are linked, see `place_images`; a copy of picture 7 is
    `images/augmented/7_1.jpg`, and each of its annotations names its `source_annotation`.

    Args:
        coco: the set; it is not changed.
        conditions: of the site.
        output: folder for `annotations.json` and `images/`; not the one the set lies in.
        copies: of each picture, at least 1.
        quality: of JPEG.

    Raises:
        BadInput: no copies, conditions that ask for nothing, an output that holds the input, a damaged image.
    """
    from nbhelpers.data.image_files import place_images

    output, augmenter = Path(output), build_augmenter(conditions)
    _check(coco, augmenter, output, copies)
    placed, _ = place_images(coco, output / "images")
    done = _done(output)
    wanted = [(image_id, number) for image_id in coco.image_ids for number in range(1, copies + 1)]
    keys = {pair: _key(coco, augmenter, pair, quality) for pair in wanted}
    missing = [pair for pair in wanted if keys[pair] not in done]
    if missing:
        # Until all pictures are there, no document may describe them.
        (output / DOCUMENT).unlink(missing_ok=True)
    for pair in progress(missing, label="augment", unit="image"):
        record = {"key": keys[pair], **_make(coco, augmenter, pair, output / "images", quality)}
        append_record(output / JOURNAL, record)
        done[keys[pair]] = record
    document = _document(placed, [done[keys[pair]] for pair in wanted], conditions, copies)
    path = write_json(output / DOCUMENT, document, indent=None)
    lost = sum(done[key]["lost"] for key in keys.values())
    return AugmentedSet(path, len(coco.images), len(wanted), len(document["annotations"]), len(missing), lost)


def _check(coco: "CocoSet", augmenter: Augmenter, output: Path, copies: int) -> None:
    if copies < 1:
        raise BadInput(f"copies {copies}: ask for at least 1")
    if not augmenter.rules.rules:
        raise BadInput("these conditions ask for no augmentation; name a characteristic or a condition")
    inputs = [coco.path, *(folder for folder in coco.folders)]
    if any(path.resolve().is_relative_to(output.resolve()) for path in inputs):
        raise BadInput(f"{output}: holds the set itself; name another output folder")


def _key(coco: "CocoSet", augmenter: Augmenter, pair: tuple[int, int], quality: int) -> str:
    """What must agree for a copy on disk to be the one that is wanted."""
    path, labels = coco.image_path(pair[0]), coco.annotations_of(pair[0])
    return sha256_value([augmenter.fingerprint, pair, sha256_file(path), labels, quality])[:20]


def _done(output: Path) -> dict[str, Mapping[str, Any]]:
    """Records of copies whose pictures are there and unharmed, by key."""
    records = {record["key"]: record for record in read_records(output / JOURNAL)}

    def unharmed(record: Mapping[str, Any]) -> bool:
        path = output / "images" / record["file_name"]
        return path.is_file() and sha256_file(path) == record["sha256"]

    return {key: record for key, record in records.items() if unharmed(record)}


def _make(
    coco: "CocoSet", augmenter: Augmenter, pair: tuple[int, int], folder: Path, quality: int
) -> dict[str, Any]:
    """Draw and store one copy; returns its record for the journal."""
    import cv2

    image_id, number = pair
    original = sample_of(coco, image_id)
    sample = augmenter(original, int(sha256_value(pair)[:12], 16))
    _, encoded = cv2.imencode(".jpg", sample.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    data, name = encoded.tobytes(), f"augmented/{image_id}_{number}.jpg"
    write_atomic(folder / name, data)
    lost = len(original) - len(set(sample.objects.tolist()))
    labels = [*_annotations(sample, coco.annotations_of(image_id))]
    height, width = sample.image.shape[:2]
    size = {"file_name": name, "width": width, "height": height, "source_image": image_id}
    return {**size, "sha256": hashlib.sha256(data).hexdigest(), "annotations": labels, "lost": lost}


def _annotations(sample: Sample, originals: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """COCO annotations without ids; keys that augmentation does not touch are taken along."""
    from nbhelpers.data.masks import mask_to_rle

    for number, index in enumerate(sample.objects):
        source = originals[int(index)]
        left, top, right, bottom = (float(value) for value in sample.boxes[number])
        found = {key: value for key, value in source.items() if key not in _MADE_ANEW}
        found |= {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}
        if sample.masks is not None and sample.masks[number].any():
            mask = sample.masks[number]
            found |= {"segmentation": mask_to_rle(mask), "area": int(mask.sum())}
        if sample.keypoints is not None and sample.keypoints.ndim == 3:
            points = sample.keypoints[number]
            found |= {"keypoints": np.round(points, 2).ravel().tolist()}
            found |= {"num_keypoints": int((points[:, 2] > 0).sum())}
        yield found | {"source_annotation": source["id"]}


def _document(
    placed: "CocoSet", records: list[Mapping[str, Any]], conditions: Conditions, copies: int
) -> dict[str, Any]:
    """The originals' document with the copies appended; ids go on from the highest."""
    document = dict(placed.to_dict())
    images, annotations = [*placed.images], [*placed.annotations]
    next_image = max(placed.image_ids, default=0) + 1
    next_annotation = max((entry["id"] for entry in annotations), default=0) + 1
    for record in records:
        kept = ("file_name", "width", "height", "source_image")
        images.append({"id": next_image, **{key: record[key] for key in kept}})
        for entry in record["annotations"]:
            annotations.append({"id": next_annotation, "image_id": next_image, **entry})
            next_annotation += 1
        next_image += 1
    info = {**placed.info, "augmented": {**vars(conditions), "copies": copies}}
    return {**document, "info": info, "images": images, "annotations": annotations}
