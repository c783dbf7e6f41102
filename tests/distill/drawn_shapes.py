"""A small drawn set, and settings of a training of seconds, for the tests of this room."""

import json

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ["disc", "block"]


def draw_set(folder, count, seed, size=(96, 80)):
    """Discs and blocks on a plain ground, as a COCO file with exact polygons."""
    random = np.random.default_rng(seed)
    images, annotations = [], []
    (folder / "images").mkdir(parents=True)
    for number in range(count):
        picture = Image.new("RGB", size, tuple(int(c) for c in random.integers(60, 110, 3)))
        draw = ImageDraw.Draw(picture)
        name = f"{number}.png"
        images.append({"id": number + 10, "file_name": name, "width": size[0], "height": size[1]})
        for side, kind in enumerate(random.permutation(2)):
            radius = int(random.integers(12, 18))
            x, y = 24 + 48 * side, int(random.integers(24, size[1] - 24))
            angles = (
                np.linspace(0, 2 * np.pi, 24, endpoint=False)
                if kind == 0
                else np.pi / 4 + np.arange(4) * np.pi / 2
            )
            points = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
            draw.polygon([tuple(p) for p in points], fill=(230, 60, 40) if kind == 0 else (60, 90, 240))
            low, high = points.min(axis=0), points.max(axis=0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number + 10,
                    "category_id": int(kind) + 3,
                    "segmentation": [points.ravel().tolist()],
                    "bbox": [*low.tolist(), *(high - low).tolist()],
                    "area": float(np.prod(high - low)),
                    "iscrowd": 0,
                }
            )
        picture.save(folder / "images" / name)
    categories = [{"id": index + 3, "name": name} for index, name in enumerate(SHAPES)]
    path = folder / "set.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def quick(**changes):
    """Settings of a training of seconds."""
    from nbhelpers.settings.sections import DistillSection

    values = {
        "student": "yolov8_seg",
        "image_size": 64,
        "epochs": 2,
        "batch": 4,
        "validations": 2,
        "warmup": 0.0,
    }
    return DistillSection(**(values | changes))
