"""Images of the same content: re-encoded, resized or mirrored copies that must not end up in two parts."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from nbhelpers.data.images import read_image
from nbhelpers.errors import BadInput
from nbhelpers.runtime import progress

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet

SIDE = 32  # pixels; the size the perceptual hash works on
# Chosen by measurement, which the tests repeat. Copies of 300 drawn scenes and 24 photographs, made by JPEG
# 30 to 90, scaling by 1/4 to 2 (1/3 without smoothing) and mirroring, differ in at most 6 of 64 hash bits, by
# 10.4 RMS and 18.2 in a cell. The closest pair of different scenes: 10 bits, 26.7 RMS, 42.9 in a cell; of
# photographs of like things on like grounds: 18 bits, 38 RMS, 57 in a cell.
HASH_BITS = 10
MAX_RMS = 11.0
MAX_CELL = 20.0
CONTRAST = 40.0  # standard deviation every thumbnail is brought to, gray levels
FLAT = 12.0  # below this standard deviation a thumbnail is mostly noise, and is stretched no further
BLANK = 1.0  # below this one it shows nothing: blank images are no copies of each other

Thumbnails = npt.NDArray[np.uint8]
Pairs = npt.NDArray[np.int64]


def near_duplicates(coco: "CocoSet") -> list[set[Any]]:
    """Groups of image ids that show the same content, mirrored left-right, up-down or both, or not.

    Perceptual hashes (imagehash.phash, 64 bits) of each image and its mirrors propose pairs; a pair counts
    when its 32x32 gray thumbnails agree on the whole and in every 4x4 cell, so that one moved object tells
    two otherwise equal scenes apart. Not found: crops, rotations by 90 degrees, strong changes of colour.
    Blank images have no content to share and form no group.

    Args:
        coco: a set whose images can all be read.

    Returns:
        Groups of two or more, in the order of the file.

    Raises:
        BadInput: an image cannot be read.
    """
    paths = [coco.image_path(image_id) for image_id in coco.image_ids]
    labels = duplicate_labels(thumbnails(paths))
    groups: dict[int, set[Any]] = {}
    for image_id, label in zip(coco.image_ids, labels, strict=True):
        groups.setdefault(int(label), set()).add(image_id)
    return [group for group in groups.values() if len(group) > 1]


def thumbnails(paths: Sequence[Path]) -> Thumbnails:
    """Gray thumbnails of image files, (N, 32, 32) uint8, read in parallel.

    Raises:
        BadInput: an image cannot be read.
    """
    result = np.zeros((len(paths), SIDE, SIDE), dtype=np.uint8)
    with (
        ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool,
        progress(total=len(paths), label="compare images", unit="image") as bar,
    ):
        for index, thumbnail in enumerate(pool.map(_thumbnail, paths)):
            result[index] = thumbnail
            bar.update()
    return result


def _thumbnail(path: Path) -> Thumbnails:
    """One gray thumbnail; plain JPEGs are decoded at reduced size, odd images by the room's own reader."""
    try:
        with Image.open(path) as image:
            plain = image.mode in {"RGB", "L"} and not image.has_transparency_data
            if plain and image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
                image.draft("L", (4 * SIDE, 4 * SIDE))
                return _shrink(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read as an image ({error}); replace or remove it") from error
    return _shrink(Image.fromarray(read_image(path)))


def _shrink(image: Image.Image) -> Thumbnails:
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def duplicate_labels(images: Thumbnails) -> npt.NDArray[np.int32]:
    """Label thumbnails (N, 32, 32) uint8 so that copies, and copies of copies, share a number: (N,) int32."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    base = _Features.of(images)
    mirrored = [images[:, :, ::-1], images[:, ::-1], images[:, ::-1, ::-1]]
    found = [_confirmed(features, base) for features in (base, *map(_Features.of, mirrored))]
    pairs = np.concatenate(found)
    shown = images.std(axis=(1, 2)) >= BLANK
    first, second = pairs[shown[pairs[:, 0]]].T
    graph = coo_matrix((np.ones(len(first), dtype=bool), (first, second)), shape=(len(images), len(images)))
    return connected_components(graph, directed=False)[1]


@dataclass(frozen=True)
class _Features:
    """What thumbnails are compared by: hashes (N,) uint64, pixels (N, 32, 32) and cells (N, 64) float32."""

    hashes: npt.NDArray[np.uint64]
    pixels: npt.NDArray[np.float32]
    cells: npt.NDArray[np.float32]

    @classmethod
    def of(cls, images: Thumbnails) -> "_Features":
        pixels = _normalised(images)
        return cls(_hashes(images), pixels, _cells(pixels))


def _confirmed(left: _Features, right: _Features) -> Pairs:
    """Pairs (i, j), i < j, where image i on the left equals image j on the right: (M, 2) int64."""
    kept = [np.zeros((0, 2), dtype=np.int64)]
    for pairs in _candidates(left.hashes, right.hashes):
        i, j = pairs.T
        pairs = pairs[np.abs(left.cells[i] - right.cells[j]).max(axis=1) <= MAX_CELL]
        i, j = pairs.T
        difference = left.pixels[i] - right.pixels[j]
        kept.append(pairs[np.sqrt((difference**2).mean(axis=(1, 2))) <= MAX_RMS])
    return np.concatenate(kept)


def _hashes(images: Thumbnails) -> npt.NDArray[np.uint64]:
    """The 64-bit perceptual hash of every thumbnail, (N,) uint64."""
    import imagehash

    bits = np.array([imagehash.phash(Image.fromarray(image)).hash.ravel() for image in images], dtype=bool)
    return np.packbits(bits.reshape(len(images), 64), axis=1).view(np.uint64).ravel()


def _candidates(
    left: npt.NDArray[np.uint64], right: npt.NDArray[np.uint64], rows: int = 256, most: int = 65536
) -> Iterator[Pairs]:
    """Pairs (i, j), i < j, whose hashes differ in few bits; compared in blocks, given in bounded pieces."""
    for start in range(0, len(left), rows):
        distance = np.bitwise_count(left[start : start + rows, None] ^ right[None, start + 1 :])
        i, j = np.nonzero(distance <= HASH_BITS)
        pairs = np.stack([i + start, j + start + 1], axis=1)
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        for piece in range(0, len(pairs), most):
            yield pairs[piece : piece + most]


def _normalised(images: Thumbnails) -> npt.NDArray[np.float32]:
    """Thumbnails of mean 0 and equal contrast, so that brighter or paler copies stay copies."""
    values = images.astype(np.float32)
    values -= values.mean(axis=(1, 2), keepdims=True)
    return values * (CONTRAST / np.maximum(values.std(axis=(1, 2), keepdims=True), FLAT))


def _cells(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Means over 4x4 pixels, (N, 64): one small object out of place shows in one of them."""
    cells = SIDE // 4
    return values.reshape(len(values), cells, 4, cells, 4).mean(axis=(2, 4)).reshape(len(values), cells**2)
