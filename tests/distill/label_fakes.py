"""Teachers whose answers are known: a box and a mask where a picture is bright; a log of what they saw."""

import hashlib
import time
from pathlib import Path

import numpy as np
import supervision as sv

from nbhelpers.teach.grounded_sam.features import FeatureMap, Seen


class FakeTeachers:
    """Finds one object per picture: what is brighter than 200; class 0, or 1 where it is wider than high."""

    def __init__(self, log=None, sleep_s=0.0, names=("box", "cone"), masks=True, mark="a"):
        self.class_names, self.masks, self.mark = list(names), masks, mark
        self.log, self.sleep_s = None if log is None else Path(log), sleep_s
        self.largest_batch = 0

    choices = ()

    def identity(self):
        return {"mark": self.mark}

    def threshold(self, name):
        return 0.25

    def look(self, images, thresholds=None, features=False):
        self.largest_batch = max(self.largest_batch, len(images))
        return [self._one(image, thresholds or {}, features) for image in images]

    def _one(self, image, thresholds, features):
        time.sleep(self.sleep_s)
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(hashlib.sha256(image.tobytes()).hexdigest() + "\n")
        bright = image.min(axis=2) > 200
        maps = {"grounding_dino": FeatureMap(np.full((2, 3, 3), bright.mean(), np.float32), (0, 0, 1, 1))}
        return Seen(self._detections(bright, thresholds), maps if features else {})

    def _detections(self, bright, thresholds):
        rows, columns = np.nonzero(bright)
        boxes = np.zeros((0, 4), np.float32)
        if len(rows):
            boxes = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
        index = int(len(boxes) and boxes[0, 2] - boxes[0, 0] > boxes[0, 3] - boxes[0, 1])
        scores = np.full((len(boxes), len(self.class_names)), 0.125, np.float32)
        scores[:, index] = 0.75
        keep = thresholds.get(self.class_names[index], 0.25) <= 0.75
        count = len(boxes) * keep
        return sv.Detections(
            xyxy=boxes[:count],
            mask=np.repeat(bright[None], count, axis=0) if self.masks else None,
            confidence=np.full(count, 0.75, np.float32),
            class_id=np.full(count, index, int),
            data={
                "class_scores": scores[:count],
                "mask_quality": np.full(count, 0.5, np.float32),
                "class_name": np.array([self.class_names[index]] * count, dtype=str),
            },
        )


def picture(number, size=(40, 30)):
    """A dark picture with one bright rectangle; no two are alike. Size is (width, height)."""
    image = np.full((size[1], size[0], 3), 10, np.uint8)
    left, top = 2 + number % 7, 3 + number % 5
    wide = number % 2
    image[top : top + 4 + 3 * (1 - wide), left : left + 4 + 3 * wide] = 230
    image[0, 0] = [number % 200, number // 200, 0]
    return image


def write_pictures(folder, count, size=(40, 30)):
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(picture(number, size)).save(folder / f"{number:05d}.png")
    return folder
