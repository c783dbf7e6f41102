"""Light augmentation of a detector's training pictures: mirror, zoom and shift, light and colour."""

import os
from collections.abc import Callable

import numpy as np

Augment = Callable[[np.ndarray, np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray, np.ndarray]]
LEAST_VISIBLE = 0.3  # share of an object's box that has to stay in the picture


def augmenter() -> Augment:
    """A function from picture, boxes, classes and a seed to a changed picture with its boxes and classes.

    The picture is (H, W, 3) uint8 RGB and keeps its size, boxes are (n, 4) XYXY pixels. Equal seeds give
    equal changes. A box of which less than 30 % stays in the picture goes with its class.
    """
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for its version
    import albumentations as A  # noqa: N812

    changes = A.Compose(
        [
            A.HorizontalFlip(p=0.5),
            A.Affine(scale=(0.7, 1.4), translate_percent=(-0.15, 0.15), border_mode=1, p=0.7),
            A.RandomBrightnessContrast(brightness_limit=0.25, contrast_limit=0.25, p=0.7),
            A.HueSaturationValue(hue_shift_limit=8, sat_shift_limit=25, val_shift_limit=0, p=0.5),
        ],
        bbox_params=A.BboxParams(
            format="pascal_voc", label_fields=["classes"], min_visibility=LEAST_VISIBLE, clip=True
        ),
    )

    def augment(
        image: np.ndarray, boxes: np.ndarray, classes: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        changes.set_random_seed(seed)
        changed = changes(image=image, bboxes=boxes, classes=classes)
        found = np.asarray(changed["bboxes"], np.float32).reshape(-1, 4)
        return changed["image"], found, np.asarray(changed["classes"], np.int64)

    return augment
