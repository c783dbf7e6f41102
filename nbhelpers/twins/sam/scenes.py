"""Drawn scenes in memory: pictures and object ids as uint8, drawn once and kept below `runs/`."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nbhelpers.artifacts import sha256_value, write_atomic
from nbhelpers.data.scenes.world import find_world
from nbhelpers.runtime import progress

SIDE = 128  # pixels, of pictures and of the model's input
MAX_OBJECTS = 24
_PART = 500  # scenes per file: what a kill can cost


@dataclass(frozen=True)
class SceneStack:
    """Scenes as arrays.

    Attributes:
        images: (N, 128, 128, 3) uint8 RGB, as a JPEG reader gives them.
        ids: (N, 128, 128) uint8; 0 is background, k is object k of that scene.
        classes: (N, 24) uint8; column k - 1 holds the class of object k, from 1; 0 where there is no object.
        names: class names in the order of their numbers.
    """

    images: np.ndarray
    ids: np.ndarray
    classes: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def class_map(self, index: int) -> np.ndarray:
        """Class of every pixel of one scene, (128, 128) uint8; 0 is background."""
        table = np.concatenate([np.zeros(1, np.uint8), self.classes[index]])
        return table[self.ids[index]]


def draw_stack(folder: Path | None, count: int, seed: int, world: str = "base") -> SceneStack:
    """Draw `count` scenes of 128 x 128 pixels; scene i depends on seed, world and i alone.

    Args:
        folder: where parts are kept and found again; None keeps nothing.
        count: number of scenes.
        seed: of the set.
        world: `base` or `shifted`.
    """
    parts = []
    with progress(total=count, label=f"scenes ({world})", unit="scene") as bar:
        for first in range(0, count, _PART):
            parts.append(_part(folder, first, min(_PART, count - first), seed, world))
            bar.update(len(parts[-1][0]))
    images, ids, classes = (np.concatenate(column) for column in zip(*parts, strict=True))
    return SceneStack(images, ids, classes, find_world(world).classes)


def _part(
    folder: Path | None, first: int, count: int, seed: int, world: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if folder is None:
        return _draw_part(first, count, seed, world)
    path = folder / f"{world}-{seed}-{first}-{count}-{_version(world)}.npz"
    if not path.is_file():
        _save(path, _draw_part(first, count, seed, world))
    with np.load(path) as kept:
        return kept["images"], kept["ids"], kept["classes"]


def _version(world: str) -> str:
    """What must agree for kept scenes to be the ones that would be drawn now."""
    from nbhelpers.data.scenes.dataset import RENDERER

    return sha256_value({"world": asdict(find_world(world)), "renderer": RENDERER, "side": SIDE})[:12]


def _save(path: Path, part: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    import io

    buffer = io.BytesIO()
    np.savez(buffer, images=part[0], ids=part[1], classes=part[2])
    write_atomic(path, buffer.getvalue())


def _draw_part(first: int, count: int, seed: int, world: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import cv2

    images = np.empty((count, SIDE, SIDE, 3), np.uint8)
    ids = np.empty((count, SIDE, SIDE), np.uint8)
    classes = np.zeros((count, MAX_OBJECTS), np.uint8)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # on pictures this small, handing work out costs more than it brings
    try:
        for row in range(count):
            images[row], ids[row], classes[row] = _draw_one(first + row, seed, world)
    finally:
        cv2.setNumThreads(threads)
    return images, ids, classes


def _draw_one(index: int, seed: int, world: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One scene after the JPEG compression it would be stored with."""
    import cv2

    from nbhelpers.data.scenes.render import render_scene

    scene = render_scene(index, (SIDE, SIDE), seed, world)
    options = [cv2.IMWRITE_JPEG_QUALITY, scene.jpeg_quality]
    _, encoded = cv2.imencode(".jpg", scene.image[..., ::-1], options)
    image = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))[..., ::-1]
    names = find_world(world).classes
    classes = np.zeros(MAX_OBJECTS, np.uint8)
    classes[: len(scene.names)] = [names.index(name) + 1 for name in scene.names]
    return image, scene.ids, classes
