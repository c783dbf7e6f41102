"""Transforms that albumentations does not have: they change objects, or all but the objects; labels stay."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.augment.library import albumentations
from nbhelpers.data.augment.regions import Pixels, Region, behind, regions_of, to_pixels, union

A: Any = albumentations()


class ObjectTransform(A.DualTransform):
    """A transform of the picture that is told where the objects are.

    Args:
        strength: 0..1.
        p: probability that it is applied.
    """

    _targets = A.core.type_definitions.ALL_TARGETS

    class InitSchema(A.core.transforms_interface.BaseTransformInitSchema):
        """albumentations checks the arguments against it."""

        strength: float

    def __init__(self, strength: float = 1.0, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.strength = strength

    def edit(self, image: Pixels, regions: list[Region]) -> Pixels:
        """The new picture; `image` (H, W, 3) is a copy and may be written to."""
        raise NotImplementedError

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """The edited picture: it needs the labels, which `apply` is not shown."""
        return {"edited": self.edit(data["image"].copy(), regions_of(data))}

    def apply(self, img: Pixels, edited: Pixels, **params: Any) -> Pixels:
        """The picture."""
        return edited

    def apply_to_mask(self, mask: NDArray[Any], **params: Any) -> NDArray[Any]:
        """Masks stay."""
        return mask

    def apply_to_masks(self, masks: NDArray[Any], **params: Any) -> NDArray[Any]:
        """Masks stay."""
        return masks

    def apply_to_bboxes(self, bboxes: NDArray[Any], **params: Any) -> NDArray[Any]:
        """Boxes stay."""
        return bboxes

    def apply_to_keypoints(self, keypoints: NDArray[Any], **params: Any) -> NDArray[Any]:
        """Key points stay."""
        return keypoints

    def some(self, regions: list[Region], share: float = 0.7) -> list[Region]:
        """A random part of the objects, at least one where there is any."""
        drawn = [region for region in regions if self.py_random.random() < share]
        return drawn or ([self.py_random.choice(regions)] if regions else [])

    def colour(self, image: Pixels) -> tuple[int, ...]:
        """A colour of the picture, or now and then any dull one."""
        if self.py_random.random() < 0.7:
            row, column = (self.py_random.randrange(side) for side in image.shape[:2])
            return tuple(int(value) for value in image[row, column])
        gray = self.py_random.randrange(40, 216)
        return tuple(min(255, max(0, gray + self.py_random.randint(-45, 45))) for _ in range(3))


class Fade(ObjectTransform):
    """Moves the mean colour of objects towards their surroundings; their texture stays."""

    def edit(self, image: Pixels, regions: list[Region]) -> Pixels:
        """See the class."""
        surroundings = behind(image, union(regions, image.shape))
        for region in self.some(regions):
            share = self.strength * self.py_random.uniform(0.4, 0.85)
            own = image[region.window].astype(np.float32)[region.inside]
            step = surroundings[region.window][region.inside].mean(axis=0) - own.mean(axis=0)
            image[region.window][region.inside] = to_pixels(own + share * step)
        return image


class SeeThrough(ObjectTransform):
    """Lets what lies behind objects shine through them."""

    def edit(self, image: Pixels, regions: list[Region]) -> Pixels:
        """See the class."""
        taken = union(regions, image.shape)
        surroundings = behind(image, taken)
        # The grain of the background, taken from elsewhere: colours alone would look like paint.
        grain = np.where(taken[..., None], 0, image - surroundings)
        rows, columns = (self.py_random.randrange(side) for side in taken.shape)
        surroundings += np.roll(grain, (rows, columns), axis=(0, 1))
        for region in self.some(regions):
            share = self.strength * self.py_random.uniform(0.45, 0.75)
            own = image[region.window].astype(np.float32)[region.inside]
            mixed = (1 - share) * own + share * surroundings[region.window][region.inside]
            image[region.window][region.inside] = to_pixels(mixed)
        return image


class Recolour(ObjectTransform):
    """Other colours and brightness wherever there is no object."""

    def edit(self, image: Pixels, regions: list[Region]) -> Pixels:
        """See the class."""
        import cv2

        background = (~union(regions, image.shape)).astype(np.float32)
        # A soft edge: a hard one would outline every object for the student to find.
        outside = cv2.GaussianBlur(background, (0, 0), max(0.6, min(image.shape[:2]) / 400))[..., None]
        uniform = self.py_random.uniform
        tint = np.array([uniform(-1, 1) for _ in range(3)], np.float32) * 70 * self.strength
        gain = 1 + 0.35 * self.strength * uniform(-1, 1)
        changed = (image.astype(np.float32) - 128) * gain + 128 + tint
        return to_pixels(image * (1 - outside) + changed * outside)


class Clutter(ObjectTransform):
    """Shapes in the picture's own colours, and in others, behind the objects."""

    def edit(self, image: Pixels, regions: list[Region]) -> Pixels:
        """See the class."""
        import cv2

        height, width = image.shape[:2]
        behind_it = image.copy()
        for _ in range(round(3 + 17 * self.strength * self.py_random.uniform(0.5, 1))):
            centre = (self.py_random.randrange(width), self.py_random.randrange(height))
            half = [max(1, round(min(height, width) * self.py_random.uniform(0.01, 0.1))) for _ in "xy"]
            corners = cv2.boxPoints((centre, (2 * half[0], 2 * half[1]), self.py_random.uniform(0, 90)))
            shape = self.py_random.choice(("box", "ellipse", "line"))
            colour = self.colour(image)
            if shape == "box":
                cv2.fillConvexPoly(behind_it, corners.astype(np.int32), colour, cv2.LINE_AA)
            elif shape == "ellipse":
                cv2.ellipse(
                    behind_it, centre, half, self.py_random.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA
                )
            else:
                thick = max(1, round(min(height, width) / 120))
                ends = corners.astype(int).tolist()
                cv2.line(behind_it, ends[0], ends[2], colour, thick, cv2.LINE_AA)
        taken = union(regions, image.shape)[..., None]
        return np.where(taken, image, behind_it)


class Lights(ObjectTransform):
    """Soft bright spots: on the objects (highlights), or anywhere and large (a lamp in the lens).

    Args:
        strength: 0..1, of brightness and size.
        on_objects: whether spots lie on objects, cut at their outlines.
        p: probability that it is applied.
    """

    class InitSchema(ObjectTransform.InitSchema):
        """albumentations checks the arguments against it."""

        on_objects: bool

    def __init__(self, strength: float = 1.0, on_objects: bool = True, p: float = 0.5) -> None:
        super().__init__(strength=strength, p=p)
        self.on_objects = on_objects

    def edit(self, image: Pixels, regions: list[Region]) -> Pixels:
        """See the class."""
        if not self.on_objects:
            whole = np.ones(image.shape[:2], bool)
            everything = Region(0, slice(0, image.shape[0]), slice(0, image.shape[1]), whole)
            return self._spots(image, everything, 1, (0.12, 0.3))
        for region in self.some(regions):
            image = self._spots(image, region, self.py_random.randint(1, 3), (0.08, 0.25))
        return image

    def _spots(self, image: Pixels, region: Region, count: int, radius: tuple[float, float]) -> Pixels:
        """Add elliptical spots, `radius` in shares of the region's root area."""
        rows, columns = np.nonzero(region.inside)
        own = image[region.window].astype(np.float32)
        side = float(np.sqrt(region.inside.size))
        for _ in range(count):
            at = self.py_random.randrange(len(rows))
            long = max(0.7, side * self.py_random.uniform(*radius) * (0.4 + 0.6 * self.strength))
            light = self._ellipse(region.inside.shape, (rows[at], columns[at]), long)
            peak = 255 * self.strength * self.py_random.uniform(0.6, 1.0)
            own += peak * (light * region.inside)[..., None]
        image[region.window] = to_pixels(own)
        return image

    def _ellipse(self, shape: tuple[int, ...], centre: tuple[int, int], radius: float) -> NDArray[np.float32]:
        """(h, w) float32, 1 at the centre: a Gaussian three times as long as wide at most."""
        angle, squeeze = self.py_random.uniform(0, np.pi), self.py_random.uniform(1, 3)
        y = np.arange(shape[0], dtype=np.float32)[:, None] - np.float32(centre[0])
        x = np.arange(shape[1], dtype=np.float32)[None] - np.float32(centre[1])
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        light = np.exp(-((along / radius) ** 2 + (across * squeeze / radius) ** 2) / 2)
        return np.asarray(light, np.float32)
