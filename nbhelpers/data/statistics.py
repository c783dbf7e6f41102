"""What a set holds, in numbers: classes, object sizes, objects per image, image sizes, light."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet

# COCO's bounds on the area in square pixels: small below the first, large above the second.
SMALL, LARGE = 32**2, 96**2
GRID = 32  # cells per side of the map of where objects lie


@dataclass(frozen=True)
class Spread:
    """Five numbers about a sample."""

    minimum: float
    median: float
    mean: float
    maximum: float
    n: int

    @classmethod
    def of(cls, values: npt.ArrayLike) -> "Spread":
        """Summarise numbers; an empty sample gives zeros and n = 0."""
        sample = np.asarray(values, dtype=np.float64)
        if not sample.size:
            return cls(0.0, 0.0, 0.0, 0.0, 0)
        numbers = [sample.min(), np.median(sample), sample.mean(), sample.max()]
        low, median, mean, high = (round(float(number), 3) for number in numbers)
        return cls(low, median, mean, high, int(sample.size))


@dataclass(frozen=True)
class ClassCount:
    """How often a class occurs: objects, images that show it, crowds, and objects by COCO's three sizes."""

    objects: int = 0
    images: int = 0
    crowds: int = 0
    small: int = 0
    medium: int = 0
    large: int = 0


@dataclass(frozen=True)
class Statistics:
    """Numbers about a set. Areas are square pixels; sizes are COCO's (small < 32^2, large > 96^2).

    `objects_in_images` counts images by their number of objects; `image_sizes` counts images by (width,
    height), most frequent first; `coverage` is the mean number of boxes over each cell of a 32x32 grid.
    """

    images: int
    annotations: int
    crowds: int
    images_without_objects: int
    classes: dict[str, ClassCount]
    sizes: dict[str, int]
    objects_per_image: Spread
    objects_in_images: dict[int, int]
    image_sizes: list[tuple[int, int, int]]
    box_share: Spread
    brightness: Spread | None = None
    contrast: Spread | None = None
    areas: npt.NDArray[np.float64] = field(repr=False, compare=False, default_factory=lambda: np.zeros(0))
    coverage: npt.NDArray[np.float64] = field(
        repr=False, compare=False, default_factory=lambda: np.zeros((GRID, GRID))
    )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, without the arrays that only the figure needs."""
        return {key: value for key, value in asdict(self).items() if key not in {"areas", "coverage"}}

    def rows(self) -> list[dict[str, Any]]:
        """Rows of a table, one per class."""
        return [{"class": name, **asdict(count)} for name, count in self.classes.items()]


def statistics(coco: "CocoSet", *, light: bool = False) -> Statistics:
    """Count what a set holds.

    Args:
        coco: the set. Sizes go by `area`, and by the box where an annotation has none.
        light: also decode every image for its mean gray level and its standard deviation (0..255).
    """
    entries = [entry for entry in coco.annotations if not entry.get("iscrowd")]
    per_image = Counter(entry["image_id"] for entry in entries)
    numbers = [per_image.get(image_id, 0) for image_id in coco.image_ids]
    areas = np.array([_area(entry) for entry in entries], dtype=np.float64)
    classes = _classes(coco)
    brightness, contrast = _light(coco) if light else (None, None)
    return Statistics(
        images=len(coco.images),
        annotations=len(coco.annotations),
        crowds=len(coco.annotations) - len(entries),
        images_without_objects=numbers.count(0),
        classes=classes,
        sizes={
            key: sum(getattr(count, key) for count in classes.values())
            for key in ("small", "medium", "large")
        },
        objects_per_image=Spread.of(numbers),
        objects_in_images=dict(sorted(Counter(numbers).items())),
        image_sizes=_image_sizes(coco.images),
        box_share=Spread.of(_box_shares(coco, entries)),
        brightness=brightness,
        contrast=contrast,
        areas=areas,
        coverage=_coverage(coco, entries),
    )


def size_of(area: float) -> str:
    """COCO's name for an object's size by its area in square pixels."""
    return "small" if area < SMALL else "large" if area > LARGE else "medium"


def _area(entry: Mapping[str, Any]) -> float:
    area, box = entry.get("area"), entry.get("bbox")
    if area:
        return float(area)
    return float(box[2] * box[3]) if box else 0.0


def _classes(coco: "CocoSet") -> dict[str, ClassCount]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in coco.class_names}
    shown: dict[str, set[Any]] = {name: set() for name in coco.class_names}
    for entry in coco.annotations:
        name = coco.class_names[coco.class_index[entry["category_id"]]]
        if entry.get("iscrowd"):
            counts[name]["crowds"] += 1
            continue
        counts[name].update(("objects", size_of(_area(entry))))
        shown[name].add(entry["image_id"])
    return {name: ClassCount(**count, images=len(shown[name])) for name, count in counts.items()}


def _image_sizes(images: Sequence[Mapping[str, Any]]) -> list[tuple[int, int, int]]:
    counts = Counter((int(image["width"]), int(image["height"])) for image in images)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(width, height, count) for (width, height), count in ordered]


def _relative_boxes(coco: "CocoSet", entries: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.float64]:
    """Boxes as shares of their image, XYXY in 0..1, (N, 4); annotations without a box are left out."""
    sizes = {image["id"]: (float(image["width"]), float(image["height"])) for image in coco.images}
    rows = [(*entry["bbox"], *sizes[entry["image_id"]]) for entry in entries if entry.get("bbox")]
    x, y, w, h, width, height = np.array(rows, dtype=np.float64).reshape(-1, 6).T
    return np.stack([x / width, y / height, (x + w) / width, (y + h) / height], axis=1).clip(0, 1)


def _box_shares(coco: "CocoSet", entries: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.float64]:
    """Share of the image's area that each box covers, 0..1."""
    boxes = _relative_boxes(coco, entries)
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _coverage(coco: "CocoSet", entries: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.float64]:
    """Mean number of boxes over each cell of a 32x32 grid laid on the images; a cell counts by its centre."""
    boxes = _relative_boxes(coco, entries)
    centres = (np.arange(GRID) + 0.5) / GRID
    across = (boxes[:, None, 0] <= centres) & (centres < boxes[:, None, 2])  # (boxes, cells)
    down = (boxes[:, None, 1] <= centres) & (centres < boxes[:, None, 3])
    return down.T.astype(np.float64) @ across.astype(np.float64) / max(len(coco.images), 1)


def _light(coco: "CocoSet") -> tuple[Spread, Spread]:
    from nbhelpers.runtime import progress

    means, deviations = [], []
    for image_id in progress(coco.image_ids, label="read light", unit="image"):
        gray = coco.image(image_id).mean(axis=2)
        means.append(gray.mean())
        deviations.append(gray.std())
    return Spread.of(means), Spread.of(deviations)
