"""COCO in, a YOLO training folder out: images linked, labels as text, and what the format changed counted."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.artifacts import write_atomic
from nbhelpers.distill.contours import filled, single_contour
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet

# What ultralytics reads, by suffix; `prepare` rewrites everything else as PNG.
_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".jpeg2000", ".jp2", ".png", ".tif", ".tiff", ".webp"}
_MEASURED = 200  # objects whose round trip is measured, spread over the set


@dataclass(frozen=True)
class LabelReport:
    """What went into the training folder, and what the polygon format changed.

    Attributes:
        images, objects: written.
        crowds: left out (`iscrowd`), as COCO trainers do.
        boxes_as_masks: objects without a mask in a segmentation set, written as their box.
        joined: objects of several parts or with holes, written as one path with crossing lines.
        measured: joined objects whose label was drawn again and compared with the mask.
        mean_iou, least_iou: of that comparison; 1.0 when nothing was joined.
    """

    images: int
    objects: int
    crowds: int
    boxes_as_masks: int
    joined: int
    measured: int
    mean_iou: float
    least_iou: float


def write_training_folder(
    parts: dict[str, "CocoSet"], folder: Path, task: str, class_names: list[str], class_agnostic: bool
) -> tuple[Path, dict[str, LabelReport]]:
    """Write `folder/images/<part>`, `folder/labels/<part>` and `folder/data.yaml` for ultralytics.

    Args:
        parts: "train" and "val".
        folder: emptied first; it holds links and text only.
        task: "detect" or "segment".
        class_names: by class index.
        class_agnostic: every object becomes class 0.

    Returns:
        The path of `data.yaml` and a report per part.

    Raises:
        BadInput: an image that ultralytics cannot read, or a part without any image.
    """
    import yaml

    if folder.exists():
        shutil.rmtree(folder)
    reports = {name: _write_part(coco, folder, name, task, class_agnostic) for name, coco in parts.items()}
    description = {
        "path": str(folder.resolve()),
        **{name: f"images/{name}" for name in parts},
        "names": dict(enumerate(class_names)),
    }
    return write_atomic(folder / "data.yaml", yaml.safe_dump(description, allow_unicode=True)), reports


def _write_part(coco: "CocoSet", folder: Path, name: str, task: str, class_agnostic: bool) -> LabelReport:
    if not coco.images:
        raise BadInput(f"{coco.path}: the {name} part has no images; give it at least one")
    images, labels = folder / "images" / name, folder / "labels" / name
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    counts = _Counts()
    for number, image in enumerate(coco.images):
        source = coco.image_path(image["id"])
        if source.suffix.lower() not in _SUFFIXES:
            raise BadInput(
                f"{source}: cannot be trained on as {source.suffix}; prepare the set first (notebook 02)"
            )
        _link(source, images / f"{number:07d}{source.suffix.lower()}")
        rows = list(_rows(coco, image, task, class_agnostic, counts))
        (labels / f"{number:07d}.txt").write_text("".join(rows), encoding="ascii")
    return counts.report(len(coco.images), coco)


class _Counts:
    """Tallies while rows are written."""

    def __init__(self) -> None:
        self.objects = self.crowds = self.boxes_as_masks = 0
        self.joined: list[tuple[dict[str, Any], int, int]] = []

    def report(self, images: int, coco: "CocoSet") -> LabelReport:
        step = max(1, len(self.joined) // _MEASURED)
        overlaps = [round_trip_iou(*item) for item in self.joined[::step]]
        return LabelReport(
            images,
            self.objects,
            self.crowds,
            self.boxes_as_masks,
            len(self.joined),
            len(overlaps),
            float(np.mean(overlaps)) if overlaps else 1.0,
            float(np.min(overlaps)) if overlaps else 1.0,
        )


def _rows(
    coco: "CocoSet", image: dict[str, Any], task: str, class_agnostic: bool, counts: _Counts
) -> Iterator[str]:
    """One line of text per object of one image, coordinates as shares of its width and height."""
    size = np.array([image["width"], image["height"]], float)
    for annotation in coco.annotations_of(image["id"]):
        if annotation.get("iscrowd"):
            counts.crowds += 1
            continue
        index = 0 if class_agnostic else coco.class_index[annotation["category_id"]]
        if task == "detect":
            x, y, width, height = annotation["bbox"]
            points = np.array([[x + width / 2, y + height / 2], [width, height]]) / size
        else:
            points = np.clip(_path_of(annotation, image, counts) / size, 0, 1)
        if points.size == 0:
            continue
        counts.objects += 1
        yield f"{index} " + " ".join(f"{value:.6f}" for value in points.ravel()) + "\n"


def _path_of(annotation: dict[str, Any], image: dict[str, Any], counts: _Counts) -> np.ndarray:
    """The object's outline as one path in pixels; a lone polygon is taken as it stands."""
    segmentation = annotation.get("segmentation")
    if not segmentation:
        counts.boxes_as_masks += 1
        x, y, width, height = annotation["bbox"]
        return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], float)
    if isinstance(segmentation, list) and len(segmentation) == 1:
        return np.asarray(segmentation[0], float).reshape(-1, 2)
    path = _outline(segmentation, image["height"], image["width"])
    if len(path):
        counts.joined.append((segmentation, image["height"], image["width"]))
    return path


def _outline(segmentation: Any, height: int, width: int) -> np.ndarray:
    from nbhelpers.data.masks import to_mask

    return single_contour(to_mask(segmentation, height, width))


def round_trip_iou(segmentation: Any, height: int, width: int) -> float:
    """Overlap of a COCO mask with its YOLO label drawn again at the same size; 1.0 is lossless."""
    from nbhelpers.data.masks import to_mask

    mask = to_mask(segmentation, height, width)
    drawn = filled(single_contour(mask), height, width)
    union = np.count_nonzero(mask | drawn)
    return np.count_nonzero(mask & drawn) / union if union else 1.0


def _link(source: Path, target: Path) -> None:
    """Point to the image instead of copying it; copy only where the file system has no links."""
    source = source.resolve()
    for make in (os.symlink, os.link):
        try:
            make(source, target)
        except OSError:
            continue
        return
    shutil.copyfile(source, target)
