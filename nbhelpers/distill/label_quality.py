"""How far teachers' labels agree with people's, where there are both: per class, and image by image."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.runtime import text_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nbhelpers.data import CocoSet
    from nbhelpers.metrics import DetectionScores
    from nbhelpers.metrics.documents import Kind
    from nbhelpers.metrics.matches import Matches


@dataclass(frozen=True)
class ClassQuality:
    """Agreement on one class.

    Attributes:
        name: of the class.
        truths, labels: objects of people, labels of the teachers.
        right: labels that are paired with an object of their class.
        mean_iou: of the pairs; None without one.
        ap50: average precision at IoU 0.5; None where there is no object.
    """

    name: str
    truths: int
    labels: int
    right: int
    mean_iou: float | None
    ap50: float | None

    @property
    def precision(self) -> float | None:
        """Share of the labels that are right; None without labels."""
        return self.right / self.labels if self.labels else None

    @property
    def recall(self) -> float | None:
        """Share of the objects that are labelled; None without objects."""
        return self.right / self.truths if self.truths else None


@dataclass(frozen=True)
class ImageQuality:
    """Agreement on one image.

    Attributes:
        image_id: in the truth.
        score: panoptic quality over all classes, 0..1: the IoU of all pairs over pairs and half of what is
            missed or invented (Kirillov et al. 2019, equation 1).
        right, missed, invented: pairs, objects without a label, labels without an object.
    """

    image_id: int
    score: float
    right: int
    missed: int
    invented: int


@dataclass(frozen=True)
class LabelQuality:
    """The quality of teachers' labels.

    Attributes:
        kind: "segm" where masks were compared, else "bbox".
        iou: least overlap of a pair.
        classes: by class, in the order of class indices.
        scores: COCO's numbers over all IoU.
        images: those with an object or a label, the worst first.
        n_images: compared.
    """

    kind: "Kind"
    iou: float
    classes: list[ClassQuality]
    scores: "DetectionScores"
    images: list[ImageQuality]
    n_images: int

    @property
    def total(self) -> ClassQuality:
        """All classes together; its mean IoU is over all pairs, its ap50 COCO's mean over classes."""
        right = sum(one.right for one in self.classes)
        ious = [one.mean_iou * one.right for one in self.classes if one.mean_iou is not None]
        truths = sum(one.truths for one in self.classes)
        return ClassQuality(
            "all",
            truths,
            sum(one.labels for one in self.classes),
            right,
            sum(ious) / right if right else None,
            self.scores.ap50 if truths else None,
        )

    def table(self) -> str:
        """The classes and all together as text."""
        what = "mask IoU" if self.kind == "segm" else "box IoU"
        header = ["class", "objects", "labels", "precision", "recall", what, "AP50"]
        rows = [
            [one.name, str(one.truths), str(one.labels)]
            + [_number(value) for value in (one.precision, one.recall, one.mean_iou, one.ap50)]
            for one in (*self.classes, self.total)
        ]
        return text_table(rows, header)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def label_quality(
    pseudo: "CocoSet", truth: "CocoSet", iou: float = 0.5, kind: "Kind | None" = None
) -> LabelQuality:
    """Compare teachers' labels with people's on the images that both know by id.

    Masks are compared where every label and every object has one, else boxes. Labels are paired with objects
    of their class by falling score (COCO's rule); crowd regions count neither way. Labels of the one class
    "object" are compared with the objects of all classes.

    Args:
        pseudo: as `label_images` leaves them.
        truth: the same images with people's labels.
        iou: least overlap of a pair.
        kind: "bbox" compares boxes even where there are masks, "segm" insists on masks.

    Raises:
        BadInput: no image in common, a class of the labels that the truth has not, or masks wanted that are
            not there.
    """
    from nbhelpers.distill.evaluate import ground_truth_for
    from nbhelpers.metrics import evaluate_coco
    from nbhelpers.metrics.matches import match

    known = set(pseudo.image_ids)
    common = [number for number in truth.image_ids if number in known]
    if not common:
        raise BadInput(f"{pseudo.path}: has no image (by id) of {truth.path}, so nothing can be compared")
    truth = truth.subset(common)
    document, category_ids = ground_truth_for(pseudo.class_names, truth)
    results = _results(pseudo, set(common), category_ids)
    if kind is None:
        kind = "segm" if _has_masks(results) and _has_masks(document["annotations"]) else "bbox"
    found = match(document, results, kind, iou)
    scores = evaluate_coco(document, results, kind)
    names = {category["id"]: str(category["name"]) for category in document["categories"]}
    classes = [_class(found, key, names[key], scores) for key in sorted(names)]
    return LabelQuality(kind, iou, classes, scores, _images(found, common), len(common))


def _results(pseudo: "CocoSet", common: set[int], category_ids: list[Any]) -> list[dict[str, Any]]:
    """The labels as COCO results in the truth's categories."""
    keys = ("image_id", "bbox", "score", "segmentation")
    return [
        {key: entry[key] for key in keys if key in entry}
        | {"category_id": category_ids[pseudo.class_index[entry["category_id"]]]}
        for entry in pseudo.annotations
        if entry["image_id"] in common
    ]


def _has_masks(entries: list[dict[str, Any]]) -> bool:
    """Whether every entry has a mask; so it is said of none at all."""
    return all(entry.get("segmentation") for entry in entries)


def _class(found: "Matches", category: Any, name: str, scores: "DetectionScores") -> ClassQuality:
    own = found.category == category
    pairs = found.iou[own & found.right]
    ap50 = scores.per_class.get(name, {}).get("ap50")
    return ClassQuality(
        name,
        found.count(category),
        int(own.sum()),
        len(pairs),
        float(pairs.mean()) if len(pairs) else None,
        None if ap50 is None else float(ap50),
    )


def _images(found: "Matches", image_ids: list[int]) -> list[ImageQuality]:
    """Every image with something on it, the worst first, of equals the one with more mistakes."""
    truths: dict[int, int] = {}
    for (image_id, _), count in found.truths.items():
        truths[image_id] = truths.get(image_id, 0) + count
    rows = []
    for image_id in image_ids:
        own = found.image == image_id
        right, labels, there = int((own & found.right).sum()), int(own.sum()), truths.get(image_id, 0)
        if labels or there:
            score = float(found.iou[own].sum()) / (right + (labels - right) / 2 + (there - right) / 2)
            rows.append(ImageQuality(image_id, score, right, there - right, labels - right))
    return sorted(rows, key=lambda one: (one.score, -one.missed - one.invented, one.image_id))


def worst_figure(
    quality: LabelQuality, pseudo: "CocoSet", truth: "CocoSet", count: int = 4, width_in: float = 10.0
) -> "Figure":
    """The worst images side by side: people's labels above, the teachers' below.

    Args:
        quality: of these labels.
        pseudo: the teachers' labels.
        truth: people's.
        count: images shown at most.
        width_in: width of the whole figure, inches.

    Raises:
        BadInput: there is no image with an object or a label.
    """
    from nbhelpers.plots import draw_detections, grid

    worst = quality.images[:count]
    if not worst:
        raise BadInput(f"{truth.path}: has no image with an object or a label, so there is none to show")
    above = [
        draw_detections(truth.image(one.image_id), truth.detections(one.image_id), truth.class_names)
        for one in worst
    ]
    below = [
        draw_detections(truth.image(one.image_id), _scored(pseudo, one.image_id), pseudo.class_names)
        for one in worst
    ]
    titles = [f"image {one.image_id}: people" for one in worst] + [
        f"teachers: {one.score:.2f}; {one.missed} missed, {one.invented} invented" for one in worst
    ]
    return grid(above + below, titles, columns=len(worst), width_in=width_in)


def _scored(pseudo: "CocoSet", image_id: int) -> Any:
    """The teachers' labels of an image with their scores."""
    found = pseudo.detections(image_id)
    found.confidence = np.array([entry["score"] for entry in pseudo.annotations_of(image_id)], np.float32)
    return found
