"""Small sets for the tests of preparation: records by hand, images with content of their own."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from nbhelpers.data import CocoSet


def records(labels: dict[int, list[int]], classes: int = 3, shift: int = 0) -> CocoSet:
    """A set without image files: image id to the category ids it shows."""
    images = [{"id": i, "file_name": f"{i}.png", "width": 64, "height": 48} for i in labels]
    annotations = [
        {"id": n, "image_id": i, "category_id": c, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0}
        for n, (i, c) in enumerate((i, c) for i, cs in labels.items() for c in cs)
    ]
    categories = [{"id": c, "name": f"class {c}"} for c in range(1 + shift, classes + 1 + shift)]
    return CocoSet(Path("records.json"), images, annotations, categories)


def picture(seed: int, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """A picture of a few coloured rectangles; another seed gives another picture."""
    rng = np.random.default_rng(seed)
    width, height = size
    pixels = np.full((height, width, 3), 150, dtype=np.uint8)
    for _ in range(7):
        x, y = int(rng.integers(width * 3 // 4)), int(rng.integers(height * 3 // 4))
        w, h = int(rng.integers(width // 8, width // 3)), int(rng.integers(height // 8, height // 3))
        pixels[y : y + h, x : x + w] = rng.integers(0, 255, 3)
    return Image.fromarray(pixels)


def written_set(folder: Path, count: int = 12, boxes: bool = True, masks: bool = True) -> Path:
    """A set on disk: `trainval.json` beside `images/`, one to three objects per image, three classes."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for i in range(1, count + 1):
        picture(i).save(folder / "images" / f"{i:03d}.png")
        images.append({"id": i, "file_name": f"{i:03d}.png", "width": 96, "height": 72})
        for k in range(1 + i % 3):
            x, y = 5.0 + 8 * k, 6.0 + 4 * k
            entry = {"id": len(annotations) + 1, "image_id": i, "category_id": 1 + (i + k) % 3, "iscrowd": 0}
            if boxes:
                entry |= {"bbox": [x, y, 20.0, 10.0], "area": 115.0 if masks else 200.0}
            if masks:  # a triangle and a far part, so that the mask is no rectangle
                entry["segmentation"] = [
                    [x, y, x + 20, y, x, y + 10],
                    [x + 15, y + 7, x + 20, y + 7, x + 20, y + 10, x + 15, y + 10],
                ]
            annotations.append(entry)
    categories = [{"id": 1, "name": "box"}, {"id": 2, "name": "cone"}, {"id": 3, "name": "barrel"}]
    document = {"images": images, "annotations": annotations, "categories": categories}
    path = folder / "trainval.json"
    path.write_text(json.dumps(document))
    return path


def document(path):
    return json.loads(path.read_text())


def texts(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def edit(path, change):
    content = document(path)
    change(content)
    path.write_text(json.dumps(content))
