"""Transforms by which objects lose pixels to something in front of them; their labels follow."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.augment.object_transforms import ObjectTransform
from nbhelpers.data.augment.regions import Pixels, Region, mask_of, regions_of, to_pixels


class Covering(ObjectTransform):
    """Puts something in front of objects; an object of which too little is left goes, with all its labels.

    Args:
        strength: 0..1.
        min_visibility: an object of which a smaller share is left is removed.
        p: probability that it is applied.
    """

    class InitSchema(ObjectTransform.InitSchema):
        """albumentations checks the arguments against it."""

        min_visibility: float

    def __init__(self, strength: float = 1.0, min_visibility: float = 0.15, p: float = 0.5) -> None:
        super().__init__(strength=strength, p=p)
        self.min_visibility = min_visibility

    def cover(self, data: dict[str, Any], regions: list[Region]) -> dict[str, Any]:
        """`edited` (H, W, 3), `covered` (H, W) bool, and `new`: masks (k, H, W) with their rows of boxes."""
        raise NotImplementedError

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """What to cover, and which objects are lost by it."""
        regions = regions_of(data)
        done = self.cover(data, regions)
        lost = [region.row for region in regions if self._left(region, done["covered"]) < self.min_visibility]
        return {**done, "lost": lost}

    @staticmethod
    def _left(region: Region, covered: NDArray[np.bool_]) -> float:
        free = region.inside & ~covered[region.window]
        return float(free.sum() / region.inside.sum())

    def apply_to_masks(self, masks: NDArray[Any], **params: Any) -> NDArray[Any]:
        """What is covered is no longer part of a mask."""
        covered, new = params["covered"], params["new"]
        left = np.where(covered[None], 0, masks).astype(masks.dtype)
        return np.concatenate([left, new[0].astype(masks.dtype)]) if len(new[0]) else left

    def apply_to_bboxes(self, bboxes: NDArray[Any], **params: Any) -> NDArray[Any]:
        """Boxes of lost objects go, those of new ones come; the others are tightened after the pipeline."""
        lost, new = params["lost"], params["new"]
        left = np.delete(bboxes, lost, axis=0)
        return np.concatenate([left, new[1].astype(left.dtype)]) if len(new[1]) else left


class Hide(Covering):
    """Covers one side of some objects with a plain surface."""

    def cover(self, data: dict[str, Any], regions: list[Region]) -> dict[str, Any]:
        """See the class."""
        image = data["image"].copy()
        covered = np.zeros(image.shape[:2], bool)
        for region in self.some(regions, 0.5):
            rows, columns = self._side(region)
            covered[rows, columns] = True
            image[rows, columns] = self._surface(data["image"], image[rows, columns].shape)
        return {"edited": image, "covered": covered, "new": (np.zeros((0, 0, 0)), np.zeros((0, 6)))}

    def _side(self, region: Region) -> tuple[slice, slice]:
        """A rectangle from one side of the object's box inwards."""
        share = self.py_random.uniform(0.15, 0.25 + 0.4 * self.strength)
        cut = [region.rows, region.columns]
        axis = self.py_random.randrange(2)
        low, high = cut[axis].start, cut[axis].stop
        depth = max(1, round(share * (high - low)))
        cut[axis] = slice(low, low + depth) if self.py_random.random() < 0.5 else slice(high - depth, high)
        return cut[0], cut[1]

    def _surface(self, image: Pixels, shape: tuple[int, ...]) -> Pixels:
        """A plain colour with some grain; a piece of the picture could show an object nobody labelled."""
        return to_pixels(self.colour(image) + self.random_generator.normal(0, 4, (*shape[:2], 1)))


class Paste(Covering):
    """Copies objects along their masks to other places (Ghiasi et al. 2021, Simple Copy-Paste).

    Objects without masks are not copied: a rectangle would bring its background along.
    """

    def cover(self, data: dict[str, Any], regions: list[Region]) -> dict[str, Any]:
        """See the class."""
        image = data["image"].copy()
        covered = np.zeros(image.shape[:2], bool)
        masks: list[NDArray[np.bool_]] = []
        rows: list[NDArray[Any]] = []
        with_mask = [r for r in regions if mask_of(data, int(data["bboxes"][r.row][4])) is not None]
        count = round(1 + 3 * self.strength * self.py_random.random())
        for region in self.py_random.choices(with_mask, k=count) if with_mask else ():
            pasted = self._paste(image, data["image"], region)
            for earlier in masks:
                earlier &= ~pasted
            masks.append(pasted)
            covered |= pasted
            rows.append(self._row(pasted, data["bboxes"][region.row], len(data["masks"]) + len(rows)))
        return {"edited": image, "covered": covered, "new": self._visible(masks, rows)}

    def _paste(self, image: Pixels, source: Pixels, region: Region) -> NDArray[np.bool_]:
        """Write one copy into `image`; returns its mask (H, W)."""
        height, width = region.inside.shape
        top = self.py_random.randint(0, image.shape[0] - height)
        left = self.py_random.randint(0, image.shape[1] - width)
        turn = -1 if self.py_random.random() < 0.5 else 1
        inside, own = region.inside[:, ::turn], source[region.window][:, ::turn]
        image[top : top + height, left : left + width][inside] = own[inside]
        mask = np.zeros(image.shape[:2], bool)
        mask[top : top + height, left : left + width] = inside
        return mask

    @staticmethod
    def _row(mask: NDArray[np.bool_], like: NDArray[Any], place: int) -> NDArray[Any]:
        """The box of a copy: as shares of the image, its place among the masks, and its original's number."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        height, width = mask.shape
        box = [columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height]
        return np.array([*box, place, like[5]])

    def _visible(
        self, masks: list[NDArray[np.bool_]], rows: list[NDArray[Any]]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """All new masks, so that places stay right, and the rows of copies not buried under later ones."""
        if not masks:
            return np.zeros((0, 0, 0)), np.zeros((0, 6))
        return np.stack(masks), np.stack([row for row, mask in zip(rows, masks, strict=True) if mask.any()])
