"""What the twin can do: average precision on held-out scenes, other prompts, things that are not there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.artifacts import Check, Metric
from nbhelpers.data.scenes import BASE_CLASSES
from nbhelpers.teach.grounding_dino import detect
from nbhelpers.twins.grounding_dino.batches import UNSEEN
from nbhelpers.twins.recipe import Evaluation

if TYPE_CHECKING:
    import supervision as sv

    from nbhelpers.data.coco import CocoSet

BAR_AP50 = 0.88
RANKED = 0.02  # least score for average precision: what ranks lower changes nothing
SHOWN = 0.3  # least score of a detection a person is shown; the best F1 on 120 other base scenes, .94
# Words of training prompts that named nothing in any scene.
ABSENT_PROMPT = ("truck", "bucket", "table")
UNSEEN_PROMPT = UNSEEN[2:]  # without the shifted world's new classes


@dataclass(frozen=True)
class Detector:
    """A loaded model with its processor."""

    model: Any
    processor: Any

    def __call__(
        self, images: Sequence[np.ndarray], names: Sequence[str], threshold: float = RANKED
    ) -> "list[sv.Detections]":
        """Detections per picture, doubles removed."""
        return detect(self.model, self.processor, images, names, threshold, nms=0.5)


def load_detector(folder: Path) -> Detector:
    """Load a trained twin with the auto classes, from its folder alone."""
    from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

    model = AutoModelForZeroShotObjectDetection.from_pretrained(folder, local_files_only=True)
    return Detector(model.eval(), AutoProcessor.from_pretrained(folder, local_files_only=True))


def evaluate_detector(detector: Detector, base: "CocoSet", shifted: "CocoSet") -> Evaluation:
    """All metrics of the card.

    Args:
        detector: the twin.
        base: scenes of the world it was trained on, none of them seen.
        shifted: scenes of the shifted world.
    """
    metrics = {
        **_precision(detector, base),
        **_other_prompts(detector, base),
        **_not_there(detector, base),
        **_shifted(detector, shifted),
    }
    ap50 = metrics["ap50"]
    assert isinstance(ap50.value, float)
    check = Check(
        "AP50 on held-out base scenes", round(ap50.value, 4), f">= {BAR_AP50}", ap50.value >= BAR_AP50
    )
    return Evaluation(metrics, (check,))


def coco_results(
    detector: Detector, scenes: "CocoSet", names: Sequence[str], gain: float = 1.0
) -> list[dict[str, Any]]:
    """COCO results for the prompt `names`, all of them classes of the set.

    Args:
        detector: the twin.
        scenes: pictures to look at.
        names: the prompt.
        gain: factor on the brightness of the pictures.
    """
    from nbhelpers.metrics import to_coco_results

    id_of = {entry["name"]: entry["id"] for entry in scenes.categories}
    images = [dimmed(scenes.image(image_id), gain) for image_id in scenes.image_ids]
    found = detector(images, names)
    ids = [id_of[name] for name in names]
    return [
        result
        for image_id, detections in zip(scenes.image_ids, found, strict=True)
        for result in to_coco_results(image_id, detections, ids)
    ]


def dimmed(image: np.ndarray, gain: float) -> np.ndarray:
    """The picture (H, W, 3) uint8 with `gain` times its brightness."""
    return image if gain == 1 else np.clip(image * np.float32(gain), 0, 255).astype(np.uint8)


def only(scenes: "CocoSet", names: Sequence[str]) -> dict[str, Any]:
    """The set's COCO document with these classes alone; pictures stay, also those without any."""
    document = scenes.to_dict()
    kept = [entry for entry in document["categories"] if entry["name"] in names]
    ids = {entry["id"] for entry in kept}
    found = [item for item in document["annotations"] if item["category_id"] in ids]
    return {**document, "categories": kept, "annotations": found}


def _precision(detector: Detector, base: "CocoSet") -> dict[str, Metric]:
    from nbhelpers.metrics import ap_interval, evaluate_coco

    results = coco_results(detector, base, base.class_names)
    truth = base.to_dict()
    half, all_levels = ap_interval(truth, results, iou=0.5), ap_interval(truth, results, iou=None)
    scores = evaluate_coco(truth, results)
    per_class = {
        f"ap50_{name}": Metric(_number(entry["ap50"]), int(entry["n"] or 0))
        for name, entry in scores.per_class.items()
    }
    return {
        "ap50": Metric(half.value, half.n_images, "", half.low, half.high),
        "ap": Metric(all_levels.value, all_levels.n_images, "", all_levels.low, all_levels.high),
        **per_class,
    }


def _number(value: float | int | None) -> float | None:
    return None if value is None else float(value)


def _ap50(
    detector: Detector, scenes: "CocoSet", prompt: Sequence[str], counted: Sequence[str], gain: float = 1.0
) -> Metric:
    """AP50 over `counted` classes when `prompt` was asked for."""
    from nbhelpers.metrics import evaluate_coco

    truth = only(scenes, counted)
    ids = {entry["id"] for entry in truth["categories"]}
    results = [r for r in coco_results(detector, scenes, prompt, gain) if r["category_id"] in ids]
    return Metric(evaluate_coco(truth, results).ap50, len(scenes.images))


def _other_prompts(detector: Detector, base: "CocoSet") -> dict[str, Metric]:
    """The same classes in reverse, three of them alone, and the pictures at half their brightness."""
    names = base.class_names
    return {
        "ap50_prompt_reversed": _ap50(detector, base, names[::-1], names),
        "ap50_prompt_of_three": _ap50(detector, base, names[1:4], names[1:4]),
        "ap50_half_brightness": _ap50(detector, base, names, names, gain=0.5),
    }


def _not_there(detector: Detector, base: "CocoSet") -> dict[str, Metric]:
    """False finds per picture at the score a person is shown, when what was asked for is not there."""
    images = [base.image(image_id) for image_id in base.image_ids]
    missing = [_missing_classes(base, image_id) for image_id in base.image_ids]
    asked = [number for number, names in enumerate(missing) if names]
    of_classes = sum(len(detector([images[n]], missing[n], SHOWN)[0]) for n in asked)
    return {
        "false_finds_missing_classes": Metric(of_classes / max(1, len(asked)), len(asked), "per scene"),
        "false_finds_absent_words": _finds(detector, images, ABSENT_PROMPT),
        "false_finds_unseen_words": _finds(detector, images, UNSEEN_PROMPT),
    }


def _missing_classes(scenes: "CocoSet", image_id: Any) -> list[str]:
    there = {scenes.class_index[item["category_id"]] for item in scenes.annotations_of(image_id)}
    return [name for index, name in enumerate(scenes.class_names) if index not in there]


def _finds(detector: Detector, images: Sequence[np.ndarray], prompt: Sequence[str]) -> Metric:
    found = sum(len(one) for one in detector(images, prompt, SHOWN))
    return Metric(found / len(images), len(images), "per scene")


def _shifted(detector: Detector, shifted: "CocoSet") -> Mapping[str, Metric]:
    """Known and new classes of the shifted world apart, all of them in the prompt."""
    names = shifted.class_names
    new = [name for name in names if name not in BASE_CLASSES]
    return {
        "shifted_ap50_known_classes": _ap50(detector, shifted, names, [n for n in names if n not in new]),
        "shifted_ap50_new_classes": _ap50(detector, shifted, names, new),
    }
