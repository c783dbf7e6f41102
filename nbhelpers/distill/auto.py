"""Choose image size, epochs and batch from the set and a budget of pixels: one rule for any image."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.settings.sections import DistillSection

_STRIDE = 32
_LARGEST = {"cpu": 320, "cuda": 640}  # pixels, the side beyond which `auto` does not go
_BATCHES = {"cpu": (2, 16), "cuda": (8, 64)}


@dataclass(frozen=True)
class Plan:
    """The numbers a training runs with, and where each came from."""

    image_size: int
    epochs: int
    batch: int
    learning_rate: float
    validate_every: int
    reasons: dict[str, str]


def make_plan(train: "CocoSet", settings: "DistillSection", device: str) -> Plan:
    """Fill in whatever the settings leave to `auto`.

    - `image_size`: the median longer side of the images, rounded up to a multiple of 32, at most 320 on a CPU
      and 640 on a GPU. Enlarging images adds cost and no information.
    - `epochs`: so many that images times epochs times image area make up `budget_megapixels`, between 10 and
      300. The time of a convolutional network follows the pixels it sees, so a budget of pixels is a budget
      of minutes, whatever the set.
    - `batch`: the largest power of two that still leaves `min_steps` optimiser steps in all, within 2..16 on
      a CPU and 8..64 on a GPU. Few images need small batches: 12 photographs reached mask AP50 0.9 after
      about 200 steps, be it 36 epochs of batch 2 or 57 of batch 4.
    """
    kind = "cuda" if device.startswith("cuda") else "cpu"
    reasons: dict[str, str] = {}
    size = _image_size(train, settings, kind, reasons)
    epochs = _epochs(len(train.images), size, settings, reasons)
    batch = _batch(len(train.images), epochs, settings, kind, reasons)
    every = max(1, math.ceil(epochs / settings.validations))
    return Plan(size, epochs, batch, settings.learning_rate, every, reasons)


def _image_size(train: "CocoSet", settings: "DistillSection", kind: str, reasons: dict[str, str]) -> int:
    if settings.image_size != "auto":
        reasons["image_size"] = "as set"
        return int(settings.image_size)
    longest = float(np.median([max(image["width"], image["height"]) for image in train.images]))
    size = min(max(_STRIDE, math.ceil(longest / _STRIDE) * _STRIDE), _LARGEST[kind])
    reasons["image_size"] = f"median longer side {longest:.0f} px, at most {_LARGEST[kind]} on {kind}"
    return size


def _epochs(images: int, size: int, settings: "DistillSection", reasons: dict[str, str]) -> int:
    if settings.epochs != "auto":
        reasons["epochs"] = "as set"
        return int(settings.epochs)
    megapixels = images * size * size / 1e6
    epochs = min(max(round(settings.budget_megapixels / megapixels), 10), 300)
    reasons["epochs"] = (
        f"{settings.budget_megapixels:.0f} megapixels at {megapixels:.2f} per epoch, within 10..300"
    )
    return epochs


def _batch(images: int, epochs: int, settings: "DistillSection", kind: str, reasons: dict[str, str]) -> int:
    if settings.batch != "auto":
        reasons["batch"] = "as set"
        return int(settings.batch)
    least, most = _BATCHES[kind]
    batch = least
    while batch * 2 <= most and images * epochs / (batch * 2) >= settings.min_steps:
        batch *= 2
    steps = math.ceil(epochs * images / batch)
    reasons["batch"] = f"{steps} optimiser steps in all, {settings.min_steps} wanted, within {least}..{most}"
    return batch
