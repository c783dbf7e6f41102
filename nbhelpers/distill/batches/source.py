"""Pictures of a COCO set: decoded, brought to size, and kept in memory up to a bound."""

from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.letterbox import place
from nbhelpers.data.masks import box_from_mask, to_mask, to_rle
from nbhelpers.distill.batches.kept import Kept
from nbhelpers.distill.batches.picture import Objects, Patch, Picture, patch_of, scaling
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet


class Pictures:
    """Picture number i of a set, its longer side `size` pixels; the last used are kept.

    Regions marked `iscrowd` are left out, as COCO trainers do, and so is an object whose mask is empty. An
    object without a mask has its box for one.

    Args:
        coco: the set; annotations may carry "weight" (0..1) and "class_scores" (one number per class), images
            "source" and "not_exhaustive_category_ids", as `mixing.mix` leaves them.
        size: of the longer side, pixels.
        masks: whether masks are wanted.
        class_agnostic: every object becomes class 0; of its class scores the largest is taken.
        cache_mib: bound of what is kept, MiB.

    Raises:
        BadInput: the set has no images, or class scores of another number of classes.
    """

    def __init__(
        self, coco: "CocoSet", size: int, *, masks: bool, class_agnostic: bool, cache_mib: float = 1024
    ) -> None:
        if not coco.images:
            raise BadInput(f"{coco.path}: has no images; give it at least one")
        self.coco, self.size, self.masks, self.class_agnostic = coco, size, masks, class_agnostic
        self.scored = any("class_scores" in entry for entry in coco.annotations)
        self.classes = 1 if class_agnostic else len(coco.class_names)
        self.by_people = np.array([image.get("source", "people") == "people" for image in coco.images], bool)
        self.kept = Kept(cache_mib)

    def __len__(self) -> int:
        return len(self.coco.images)

    def __getitem__(self, index: int) -> Picture:
        """Picture number `index`; safe to be asked for from several threads."""
        return self.kept.get(index, partial(self._make, index))

    def _make(self, index: int) -> Picture:
        image_id = self.coco.images[index]["id"]
        image = self.coco.image(image_id)
        placed = place(image.shape[1], image.shape[0], self.size)
        shape = placed.inner_height, placed.inner_width
        pixels = image
        if shape != image.shape[:2]:  # linear, as inference does it: what is trained on must look the same
            pixels = np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
        objects = self._objects(image_id, image.shape[:2], shape)
        return Picture(image_id, pixels, scaling(*placed.scale), objects, self._taught(index))

    def _taught(self, index: int) -> NDArray[np.float32] | None:
        """1 for classes whose objects are all labelled, 0 for others."""
        unsure = self.coco.images[index].get("not_exhaustive_category_ids")
        if not unsure:
            return None
        taught = np.ones(self.classes, np.float32)
        taught[[0 if self.class_agnostic else self.coco.class_index[number] for number in unsure]] = 0
        return taught

    def _objects(self, image_id: int, before: tuple[int, int], after: tuple[int, int]) -> Objects:
        """The objects of an image of `before` (height, width) pixels, at `after`."""
        scale_y, scale_x = after[0] / before[0], after[1] / before[1]
        rows = []
        for entry in self.coco.annotations_of(image_id):
            if entry.get("iscrowd"):
                continue
            box = _box(entry, *before) * np.array([scale_x, scale_y, scale_x, scale_y])
            patch = self._patch(entry, box, before, after) if self.masks else None
            if (box[2:] > box[:2]).all() and (patch is not None or not self.masks):
                rows.append((entry, box, patch))
        return self._gathered(rows)

    def _gathered(self, rows: list[tuple[dict[str, Any], NDArray[Any], Patch | None]]) -> Objects:
        index = self.coco.class_index
        classes = [0 if self.class_agnostic else index[entry["category_id"]] for entry, _, _ in rows]
        scores = np.array([self._scores(entry) for entry, _, _ in rows], np.float32)
        return Objects(
            np.array([box for _, box, _ in rows], np.float32).reshape(-1, 4),
            np.array(classes, np.int64),
            np.array([entry.get("weight", 1.0) for entry, _, _ in rows], np.float32),
            scores.reshape(-1, self.classes) if self.scored else None,
            tuple(patch for _, _, patch in rows if patch is not None) if self.masks else None,
        )

    def _scores(self, entry: dict[str, Any]) -> NDArray[np.float32]:
        given = entry.get("class_scores")
        if given is None:
            return np.full(self.classes, np.nan, np.float32)
        if len(given) != len(self.coco.class_names):
            raise BadInput(
                f"{self.coco.path}: annotation {entry['id']}: {len(given)} class_scores for "
                f"{len(self.coco.class_names)} classes"
            )
        scores = np.asarray(given, np.float32)
        return scores.max(keepdims=True) if self.class_agnostic else scores

    def _patch(
        self, entry: dict[str, Any], box: NDArray[Any], before: tuple[int, int], after: tuple[int, int]
    ) -> Patch | None:
        """The object's mask at the picture's size; its box where it has none, None where it is empty."""
        if not entry.get("segmentation"):
            return box_patch(box, after)
        mask = to_mask(entry["segmentation"], *before).astype(np.uint8) * 255
        if after != before:
            how = cv2.INTER_AREA if after[0] < before[0] else cv2.INTER_LINEAR
            mask = np.asarray(cv2.resize(mask, after[::-1], interpolation=how), np.uint8)
        return patch_of(mask)


def box_patch(box: NDArray[Any], shape: tuple[int, int]) -> Patch | None:
    """A box (4,) XYXY as a mask within a picture of `shape` (height, width)."""
    x1, y1 = np.maximum(np.floor(box[:2]), 0).astype(int)
    x2, y2 = np.minimum(np.ceil(box[2:]), (shape[1], shape[0])).astype(int)
    if x2 <= x1 or y2 <= y1:
        return None
    return Patch(int(x1), int(y1), np.full((y2 - y1, x2 - x1), 255, np.uint8))


def _box(entry: dict[str, Any], height: int, width: int) -> NDArray[np.float64]:
    """XYXY pixels of the image, within it; from the mask where an annotation has no box."""
    given = entry.get("bbox")
    if not given and entry.get("segmentation"):
        given = box_from_mask(to_rle(entry["segmentation"], height, width))
    x, y, w, h = given or (0.0, 0.0, 0.0, 0.0)
    return np.clip(np.array([x, y, x + w, y + h], np.float64), 0, [width, height, width, height])
