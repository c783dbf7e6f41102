"""A picture changed by an augmenter, with what else belongs to it kept true."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.augment import Sample
from nbhelpers.distill.batches.picture import Matrix, Objects, Patch, Picture, compose, patch_of
from nbhelpers.distill.batches.source import box_patch

Augment = Callable[[Sample, int], Sample]
_BENT_PX = 1.0  # farther from where a matrix says they are, and the picture was bent
_HALF = 128


def augmented(picture: Picture, augment: Augment, seed: int) -> Picture:
    """The picture as the augmenter gives it; the same for one seed.

    Points spread over the picture go along as key points: from where they come out follows the matrix that
    teachers' feature maps have to be warped by.
    """
    objects = picture.objects
    points = _grid(*picture.pixels.shape[:2])
    given = Sample(picture.pixels, objects.boxes, objects.classes, _stack(picture), points)
    done = augment(given, seed)
    if done.index is None or done.keypoints is None:
        raise TypeError("augment: the sample that comes back must have index and keypoints")
    kept = objects.take(done.index)
    boxes, masks = np.asarray(done.boxes, np.float32), None
    if objects.masks is not None:
        pairs = zip(done.masks if done.masks is not None else [None] * len(boxes), boxes, strict=True)
        patches = [_patch(mask, box, done.image.shape[:2]) for mask, box in pairs]
        full = np.array([patch is not None for patch in patches], bool)
        kept, boxes = kept.take(np.flatnonzero(full)), boxes[full]
        masks = tuple(patch for patch in patches if patch is not None)
    moved = Objects(boxes, kept.classes, kept.weights, kept.scores, masks)
    matrix = _matrix(picture, points, done.keypoints)
    return Picture(picture.image_id, done.image, matrix, moved, picture.taught)


def _stack(picture: Picture) -> NDArray[np.bool_] | None:
    if picture.objects.masks is None:
        return None
    stack = np.zeros((len(picture.objects), *picture.pixels.shape[:2]), bool)
    for mask, patch in zip(stack, picture.objects.masks, strict=True):
        height, width = patch.pixels.shape
        mask[patch.y : patch.y + height, patch.x : patch.x + width] = patch.pixels >= _HALF
    return stack


def _patch(mask: NDArray[Any] | None, box: NDArray[np.float32], shape: tuple[int, int]) -> Patch | None:
    return box_patch(box, shape) if mask is None else patch_of(mask.astype(np.uint8) * 255)


def _grid(height: int, width: int) -> NDArray[np.float32]:
    """Points (25, 3) within a picture, each marked as visible."""
    y, x = np.meshgrid(np.linspace(0.1, 0.9, 5) * height, np.linspace(0.1, 0.9, 5) * width, indexing="ij")
    return np.stack([x.ravel(), y.ravel(), np.full(25, 2.0)], 1).astype(np.float32)


def _matrix(picture: Picture, before: NDArray[np.float32], after: NDArray[np.float32]) -> Matrix | None:
    """From the image to the changed picture; None where it was bent or nearly all of it has left."""
    seen = after[:, 2] > 0
    if seen.sum() < 4 or picture.matrix is None:
        return None
    start = np.concatenate([before[seen, :2], np.ones((int(seen.sum()), 1))], 1)
    solved, _, rank, _ = np.linalg.lstsq(start, after[seen, :2], rcond=None)
    bent = np.abs(start @ solved - after[seen, :2]).max() > _BENT_PX
    return None if rank < 3 or bent else compose(solved.T, picture.matrix)
