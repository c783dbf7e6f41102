"""Training batches for the class's own loss, from a COCO set: a pure function of the batch's number."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.teach.grounding_dino.augmentation import augmenter
from nbhelpers.teach.grounding_dino.prompt import (
    check_class_names,
    fitting,
    phrase_lengths,
    prompt_of,
    token_limit,
)

if TYPE_CHECKING:
    import torch

    from nbhelpers.data.coco import CocoSet

Rng = np.random.Generator


class DetectorBatches:
    """Batch number n of an endless training: `batches(n)`, the same for the same n and seed.

    Every image is seen once per epoch, in an order of the epoch's own, landscape and portrait pictures in
    batches of their own, so that little is padded. All pictures of a batch have one prompt: the loss of
    transformers 5.17 takes the wrong phrases where they differ. The prompt names the classes in a new order
    each time and `class_labels` are places in it. Classes without a single annotation are not asked for:
    they would only be taught to be nowhere. Where not all classes fit one prompt, those in the pictures come
    first. Crowds are no objects; pictures without objects stay and teach what is nothing.

    Attributes:
        per_epoch: batches in one pass over the images; the last of each orientation may be smaller.
        classes: indices of the classes that are asked for.
        silent: names of the classes that are not.
    """

    def __init__(
        self,
        coco: "CocoSet",
        model: Any,
        processor: Any,
        size: int,
        seed: int,
        *,
        augment: bool = True,
        dtype: "torch.dtype | None" = None,
    ) -> None:
        """Check the set; images are read when their batch is asked for.

        Args:
            coco: training images and annotations.
            model: whose text limit counts.
            processor: prepares pictures and prompt.
            size: pictures per batch.
            seed: of order, prompts and augmentation.
            augment: change the pictures a little each time; see `augmentation`.
            dtype: of the pixels; that of the model by default.

        Raises:
            BadInput: no objects to learn from, or class names that a prompt cannot hold.
        """
        check_class_names(coco.class_names)
        self._coco, self._processor, self._size, self._seed = coco, processor, size, seed
        self._limit, self._dtype = token_limit(model, processor), dtype or model.dtype
        self._lengths = phrase_lengths(coco.class_names, processor.tokenizer, self._limit)
        self._augment = augmenter() if augment else None
        there = {coco.class_index[entry["category_id"]] for entry in _objects(coco.annotations)}
        if not there:
            raise BadInput(f"{coco.path}: has no annotated object to learn from")
        self.classes = tuple(sorted(there))
        self.silent = tuple(name for index, name in enumerate(coco.class_names) if index not in there)
        self.per_epoch = len(self._epoch(0))

    @cached_property
    def _orientations(self) -> list[np.ndarray]:
        """Places of the images by orientation, landscape and square first."""
        tall = np.array([_is_tall(image) for image in self._coco.images], dtype=bool)
        return [places for places in (np.flatnonzero(~tall), np.flatnonzero(tall)) if len(places)]

    def _epoch(self, epoch: int) -> list[np.ndarray]:
        """Batches of one epoch, as places of images in the set."""
        rng = np.random.default_rng((self._seed, 1, epoch))
        batches = [
            order[start : start + self._size]
            for order in (rng.permutation(places) for places in self._orientations)
            for start in range(0, len(order), self._size)
        ]
        return [batches[place] for place in rng.permutation(len(batches))]

    def __call__(self, number: int) -> dict[str, Any]:
        """What the model is called with.

        Returns:
            `inputs`: pixel_values (B, 3, h, w), pixel_mask (B, h, w), input_ids, token_type_ids,
            attention_mask (B, L); `labels`: per picture `class_labels` (n,) int64, the place of the phrase
            in the prompt, and `boxes` (n, 4) float32, centre and size as shares of the picture.
        """
        epoch, place = divmod(number, self.per_epoch)
        rng = np.random.default_rng((self._seed, 2, number))
        samples = [self._sample(rng, int(index)) for index in self._epoch(epoch)[place]]
        asked = self._asked(rng, samples)
        images = [image for image, _, _ in samples]
        prompt = prompt_of([self._coco.class_names[index] for index in asked])
        inputs = self._processor(images=images, text=[prompt] * len(images), return_tensors="pt")
        inputs["pixel_values"] = inputs["pixel_values"].to(self._dtype)
        return {"inputs": dict(inputs), "labels": [_labels(sample, asked) for sample in samples]}

    def _sample(self, rng: Rng, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Picture (H, W, 3) uint8, boxes (n, 4) XYXY pixels, class indices (n,); changed if wanted."""
        image_id = self._coco.image_ids[place]
        image = self._coco.image(image_id)
        boxes, classes = _with_area(image, *boxes_of(self._coco, image_id))
        if self._augment is None:
            return image, boxes, classes
        return self._augment(image, boxes, classes, int(rng.integers(2**31)))

    def _asked(self, rng: Rng, samples: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> list[int]:
        """Class indices in the order of the prompt's phrases."""
        present = np.unique(np.concatenate([classes for _, _, classes in samples])).astype(int)
        absent = np.setdiff1d(self.classes, present)
        wanted = [*rng.permutation(present).tolist(), *rng.permutation(absent).tolist()]
        return [int(index) for index in rng.permutation(fitting(wanted, self._lengths, self._limit))]


def _is_tall(record: dict[str, Any]) -> bool:
    return bool((record.get("height") or 0) > (record.get("width") or 0))


def _objects(annotations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in annotations if not entry.get("iscrowd")]


def boxes_of(coco: "CocoSet", image_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 4) float32 XYXY pixels and class indices (n,) int64 of an image's objects, crowds left out.

    Where an annotation has only a mask, its tight box.
    """
    entries = _objects(coco.annotations_of(image_id))
    classes = np.array([coco.class_index[entry["category_id"]] for entry in entries], np.int64)
    if not all(entry.get("bbox") for entry in entries):
        return coco.detections(image_id, crowds=False).xyxy.astype(np.float32), classes
    boxes = np.array([entry["bbox"] for entry in entries], np.float32).reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1), classes


def _with_area(image: np.ndarray, boxes: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes cut to the picture (H, W, 3), and classes, without those of which nothing is left."""
    height, width = image.shape[:2]
    inside = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    kept = (inside[:, 2:] > inside[:, :2]).all(axis=1)
    return inside[kept], classes[kept]


def _labels(
    sample: tuple[np.ndarray, np.ndarray, np.ndarray], asked: Sequence[int]
) -> "dict[str, torch.Tensor]":
    """Labels of one picture, of the objects whose classes are asked for."""
    import torch

    image, boxes, classes = sample
    height, width = image.shape[:2]
    place_of = {index: place for place, index in enumerate(asked)}
    corners = boxes / np.array([width, height, width, height], np.float32)
    centre = np.concatenate(
        [(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1
    ).astype(np.float32)
    kept = np.isin(classes, list(asked))
    places = np.array([place_of[int(index)] for index in classes[kept]], np.int64)
    return {"class_labels": torch.from_numpy(places), "boxes": torch.from_numpy(centre[kept])}
