"""Scenes on disk as a COCO set; a drawing that was cut short goes on where it stopped."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import (
    append_record,
    read_records,
    sha256_file,
    sha256_value,
    write_atomic,
    write_json,
)
from nbhelpers.data.scenes.world import World, find_world
from nbhelpers.errors import BadInput
from nbhelpers.runtime import progress

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet

# Raise it with every change of the pictures: scenes of another version are drawn again.
RENDERER = 2
JOURNAL = ".scenes.jsonl"


def draw_scenes(
    output: Path | str,
    count: int = 300,
    size: tuple[int, int] = (160, 160),
    seed: int = 0,
    world: World | str = "base",
) -> "CocoSet":
    """Draw warehouse scenes as a COCO set: `scenes.json` and `images/`.

    Scene i depends on seed, world, size and i alone: 10 scenes are the first 10 of 300, two runs write
    the same bytes, and scenes that are already there, unharmed, are not drawn again. Every object that can be
    seen is annotated; see `render_scene` for the rule.

    Args:
        output: folder, made if missing.
        count: number of scenes.
        size: (width, height) in pixels, 64 to 2048 each.
        seed: of the set, 0 or more.
        world: `base`, `shifted` or parameters of one's own.

    Raises:
        BadInput: a size, count or seed out of range, or an unknown world.
    """
    from nbhelpers.data.coco import load_coco

    world, output = find_world(world), Path(output)
    _check_request(count, size, seed)
    key = _key(world, size, seed)
    done = _drawn(output, key, count)
    missing = [index for index in range(count) if index not in done]
    if missing:
        # Until all pictures are there, no document may describe them: an older one could be of another set.
        (output / "scenes.json").unlink(missing_ok=True)
    with _one_thread():
        for index in progress(missing, label="drawing scenes", unit="scene"):
            record = _draw(output, index, size, seed, world)
            append_record(output / JOURNAL, record | {"key": key})
            done[index] = record
    write_json(output / "scenes.json", _document(done, count, size, seed, world), indent=None)
    return load_coco(output / "scenes.json")


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep OpenCV to one thread: on pictures this small, handing work out costs more than it brings."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _check_request(count: int, size: tuple[int, int], seed: int) -> None:
    if count < 1:
        raise BadInput(f"draw_scenes: count is {count}; ask for at least 1")
    if len(size) != 2 or not all(64 <= side <= 2048 for side in size):
        raise BadInput(f"draw_scenes: size is {size}; give (width, height) from 64 to 2048 pixels each")
    if seed < 0:
        raise BadInput(f"draw_scenes: seed is {seed}; it must be 0 or more")


def _key(world: World, size: tuple[int, int], seed: int) -> str:
    """What must agree for a scene on disk to be the scene that was asked for."""
    return sha256_value({"world": asdict(world), "size": list(size), "seed": seed, "renderer": RENDERER})[:16]


def _drawn(output: Path, key: str, count: int) -> dict[int, Mapping[str, Any]]:
    """Records of earlier calls whose pictures are there and unharmed, by index."""
    records = {
        r["index"]: r for r in read_records(output / JOURNAL) if r["key"] == key and r["index"] < count
    }
    return {i: r for i, r in records.items() if _unharmed(output / "images" / r["file_name"], r["sha256"])}


def _unharmed(path: Path, digest: str) -> bool:
    return path.is_file() and sha256_file(path) == digest


def _draw(output: Path, index: int, size: tuple[int, int], seed: int, world: World) -> dict[str, Any]:
    """Draw and store one scene; returns its record for the journal."""
    import cv2

    from nbhelpers.data.scenes.annotate import annotations_of
    from nbhelpers.data.scenes.render import render_scene

    scene = render_scene(index, size, seed, world)
    options = [cv2.IMWRITE_JPEG_QUALITY, scene.jpeg_quality]
    _, encoded = cv2.imencode(".jpg", scene.image[..., ::-1], options)
    data = encoded.tobytes()
    name = f"scene_{index:05d}.jpg"
    write_atomic(output / "images" / name, data)
    categories = [world.classes.index(class_name) + 1 for class_name in scene.names]
    found = annotations_of(scene.ids, categories)
    digest = hashlib.sha256(data).hexdigest()
    return {"index": index, "file_name": name, "sha256": digest, "annotations": found}


def _document(
    done: Mapping[int, Mapping[str, Any]], count: int, size: tuple[int, int], seed: int, world: World
) -> dict[str, Any]:
    """The COCO document; ids run from 1 in the order of the scenes."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in range(count):
        record = done[index]
        images.append(
            {"id": index + 1, "file_name": record["file_name"], "width": size[0], "height": size[1]}
        )
        for annotation in record["annotations"]:
            annotations.append({"id": len(annotations) + 1, "image_id": index + 1, **annotation})
    drawn = {"world": world.name, "seed": seed, "size": list(size), "renderer": RENDERER}
    return {
        "info": {"description": "Drawn warehouse scenes with exact masks", **drawn},
        "licenses": [
            {"id": 1, "name": "CC0 1.0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"}
        ],
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": number, "name": name, "supercategory": "warehouse"}
            for number, name in enumerate(world.classes, start=1)
        ],
    }
