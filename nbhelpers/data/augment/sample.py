"""One image with its labels, as augmentation takes and returns it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import supervision as sv

    from nbhelpers.data.coco import CocoSet


@dataclass(frozen=True)
class Sample:
    """An image and its n objects.

    Attributes:
        image: (H, W, 3) uint8, 0..255, RGB.
        boxes: (n, 4) float32, XYXY, pixels of the image.
        classes: (n,) int64, class index.
        masks: (n, H, W) bool; an object without a mask has an empty one; None where no object has one.
        keypoints: x, y in pixels and COCO's visibility (0 not labelled, 1 labelled and hidden, 2 visible), as
            (n, K, 3) float32, K points for each object, or (k, 3), points that belong to no object.
        index: (n,) int64: which object of the original each one is, so that scores, weights and ids can be
            taken along; an original has 0..n-1; two equal numbers are an object and its pasted copy.

    Raises:
        BadInput: shapes or dtypes that do not fit together.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    masks: NDArray[np.bool_] | None = None
    keypoints: NDArray[np.float32] | None = None
    index: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Bring dtypes to the stated ones and check that all parts belong together."""
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            found = f"image of shape {self.image.shape} and dtype {self.image.dtype}"
            raise BadInput(f"{found}: give height x width x 3, uint8")
        count = len(self.classes)
        object.__setattr__(self, "boxes", np.asarray(self.boxes, np.float32).reshape(-1, 4))
        object.__setattr__(self, "classes", np.asarray(self.classes, np.int64).reshape(-1))
        index = np.arange(count) if self.index is None else self.index
        object.__setattr__(self, "index", np.asarray(index, np.int64))
        self._check(count)

    def _check(self, count: int) -> None:
        if len(self.boxes) != count or len(self.objects) != count:
            raise BadInput(f"{len(self.boxes)} boxes for {count} classes: give one box for each class")
        wanted = (count, *self.image.shape[:2])
        if self.masks is not None and self.masks.shape != wanted:
            raise BadInput(f"masks of shape {self.masks.shape}: give {wanted}")
        points = self.keypoints
        if points is not None and not (
            points.shape[-1:] == (3,) and (points.ndim == 2 or (points.ndim == 3 and len(points) == count))
        ):
            raise BadInput(f"key points of shape {points.shape}: give (k, 3) or ({count}, K, 3)")

    @property
    def objects(self) -> NDArray[np.int64]:
        """`index`, never None."""
        assert self.index is not None  # set when the sample was made
        return self.index

    def detections(self) -> "sv.Detections":
        """The labels as supervision knows them, for drawing."""
        import supervision as sv

        return sv.Detections(xyxy=self.boxes, mask=self.masks, class_id=self.classes.astype(int))

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self.classes)


def sample_of(coco: "CocoSet", image_id: int) -> Sample:
    """An image of a COCO set with all its annotations, crowds included, in the order of the document.

    Key points are taken along where every annotation has equally many.

    Raises:
        BadInput: no such image, a damaged file or a malformed mask.
    """
    found = coco.detections(image_id)
    classes = np.zeros(0, np.int64) if found.class_id is None else found.class_id.astype(np.int64)
    points = _keypoints([entry.get("keypoints") for entry in coco.annotations_of(image_id)])
    masks = None if found.mask is None else np.asarray(found.mask, dtype=bool)
    return Sample(coco.image(image_id), found.xyxy.astype(np.float32), classes, masks, points)


def _keypoints(lists: list[list[float] | None]) -> NDArray[np.float32] | None:
    lengths = {len(points) if points else 0 for points in lists}
    if len(lengths) != 1 or 0 in lengths:
        return None
    return np.asarray(lists, np.float32).reshape(len(lists), -1, 3)
