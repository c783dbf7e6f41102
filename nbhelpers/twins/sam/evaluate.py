"""What the twin can do on scenes it has not seen, in the base world and in the shifted one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nbhelpers.artifacts import Check, Metric
from nbhelpers.metrics import mask_iou
from nbhelpers.teach.sam.prompts import jittered_boxes
from nbhelpers.twins.recipe import Evaluation
from nbhelpers.twins.sam.batches import JITTER, boxes_of, points_in
from nbhelpers.twins.sam.scenes import SIDE, SceneStack, draw_stack

BAR_IOU = 0.80
SCENES = 250
SHIFTED_SCENES = 150
Prompt = Literal["box", "jittered box", "point", "filled box"]


@dataclass(frozen=True)
class Segmenter:
    """A loaded model with its processor."""

    model: Any
    processor: Any

    def __call__(self, image: np.ndarray, prompt: Prompt, prompts: np.ndarray) -> np.ndarray:
        """Masks of one picture, through the stock processor both ways.

        A box asks for the single mask; a point for three, of which the one with the highest predicted IoU is
        taken, as the class documents it.

        Args:
            image: (H, W, 3) uint8 RGB.
            prompt: "point", or any kind of box.
            prompts: (K, 4) XYXY pixels, or (K, 1, 2) x, y pixels.

        Returns:
            (K, H, W) bool.
        """
        import torch

        by_point = prompt == "point"
        given = {"input_points" if by_point else "input_boxes": [prompts.tolist()]}
        inputs = self.processor(images=image, return_tensors="pt", **given)
        sizes = inputs.pop("original_sizes"), inputs.pop("reshaped_input_sizes")
        inputs = {name: value.float() for name, value in inputs.items()}
        with torch.inference_mode():
            output = self.model(**inputs, multimask_output=by_point)
        masks = self.processor.post_process_masks(output.pred_masks, *sizes)[0]  # (K, 1 or 3, H, W) bool
        best = output.iou_scores[0].argmax(dim=-1)
        return np.asarray(masks[torch.arange(len(masks)), best])


@dataclass(frozen=True)
class Scores:
    """Overlap of every object's mask with the true one.

    Attributes:
        iou: (objects,) float64.
        scene: (objects,) int64, number of the scene.
        label: (objects,) int64, number of the class in `names`.
        names: class names.
    """

    iou: np.ndarray
    scene: np.ndarray
    label: np.ndarray
    names: tuple[str, ...]

    def mean(self) -> Metric:
        """Mean IoU over objects; the interval of 95 % is a bootstrap over scenes, not over objects."""
        from scipy.stats import bootstrap

        _, inverse = np.unique(self.scene, return_inverse=True)
        sums, counts = np.bincount(inverse, self.iou), np.bincount(inverse)
        found = bootstrap(
            (sums, counts), _ratio, paired=True, method="percentile", n_resamples=2000, rng=0, vectorized=True
        ).confidence_interval
        return Metric(float(self.iou.mean()), len(self.iou), low=float(found.low), high=float(found.high))

    def of_class(self, name: str) -> Metric:
        """Mean IoU over the objects of one class."""
        chosen = self.iou[self.label == self.names.index(name)]
        return Metric(float(chosen.mean()) if len(chosen) else None, len(chosen))


def _ratio(sums: np.ndarray, counts: np.ndarray, axis: int = -1) -> np.ndarray:
    return sums.sum(axis=axis) / counts.sum(axis=axis)


def load_segmenter(folder: Path) -> Segmenter:
    """Load a trained twin with the auto classes, from its folder alone."""
    from transformers import AutoModelForMaskGeneration, AutoProcessor

    model = AutoModelForMaskGeneration.from_pretrained(folder, local_files_only=True)
    return Segmenter(model.eval(), AutoProcessor.from_pretrained(folder, local_files_only=True))


def score(segmenter: Segmenter | None, scenes: SceneStack, prompt: Prompt, gain: float = 1.0) -> Scores:
    """IoU of every object of every scene, prompted from its true mask.

    Args:
        segmenter: the twin; None for the prompt "filled box", which needs none.
        scenes: what to look at.
        prompt: the tight box, one moved by up to 12 % of its sides, one random pixel of the object; or
            the box itself taken as the mask, the floor a mask has to beat.
        gain: factor on the brightness of the pictures.
    """
    iou, scene, label = [], [], []
    for index in range(len(scenes)):
        rng = np.random.default_rng([index, 3])
        objects = np.unique(scenes.ids[index])
        objects = objects[objects > 0]
        truth = scenes.ids[index][None] == objects[:, None, None]
        image = np.clip(scenes.images[index] * gain, 0, 255).astype(np.uint8)
        found = _masks(segmenter, image, truth, prompt, rng)
        iou += [float(mask_iou(a[None], b[None])[0, 0]) for a, b in zip(found, truth, strict=True)]
        scene += [index] * len(objects)
        label += [int(scenes.classes[index, one - 1]) - 1 for one in objects]
    return Scores(np.array(iou), np.array(scene), np.array(label), scenes.names)


def _masks(
    segmenter: Segmenter | None,
    image: np.ndarray,
    truth: np.ndarray,
    prompt: Prompt,
    rng: np.random.Generator,
) -> np.ndarray:
    boxes = boxes_of(truth)
    if prompt == "filled box":
        return _filled(boxes, truth.shape)
    assert segmenter is not None
    if prompt == "point":
        return segmenter(image, prompt, points_in(rng, truth))
    return segmenter(
        image, prompt, jittered_boxes(rng, boxes, (SIDE, SIDE), JITTER) if prompt == "jittered box" else boxes
    )


def _filled(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    filled = np.zeros(shape, bool)
    for mask, (left, top, right, bottom) in zip(filled, boxes.astype(int), strict=True):
        mask[top:bottom, left:right] = True
    return filled


def evaluate_segmenter(segmenter: Segmenter, base: SceneStack, shifted: SceneStack) -> Evaluation:
    """All metrics of the card; the bar is on tight boxes in the base world.

    Args:
        segmenter: the twin.
        base: scenes of the world it was trained on, none of them seen.
        shifted: scenes of the shifted world.
    """
    box, far = score(segmenter, base, "box"), score(segmenter, shifted, "box")
    new = [name for name in shifted.names if name not in base.names]
    metrics = {
        "iou": box.mean(),
        "iou_filled_box": score(None, base, "filled box").mean(),
        **{f"iou_{name}": box.of_class(name) for name in base.names},
        "iou_jittered_box": score(segmenter, base, "jittered box").mean(),
        "iou_point": score(segmenter, base, "point").mean(),
        "iou_half_brightness": score(segmenter, base, "box", gain=0.5).mean(),
        "shifted_iou": far.mean(),
        "shifted_iou_filled_box": score(None, shifted, "filled box").mean(),
        **{f"shifted_iou_{name}": far.of_class(name) for name in new},
    }
    value = float(metrics["iou"].value or 0)
    check = Check(
        "mean IoU from boxes, held-out base scenes", round(value, 4), f">= {BAR_IOU}", value >= BAR_IOU
    )
    return Evaluation(metrics, (check,))


def held_out_seed(seed: int) -> int:
    """Seed of scenes no training with `seed` draws."""
    return 2 * seed + 20_001


def evaluate(folder: Path, seed: int, scenes: int = SCENES, shifted: int = SHIFTED_SCENES) -> Evaluation:
    """Load the twin from its folder and measure it on scenes held out from the training with `seed`."""
    from nbhelpers.twins.work import work_folder

    kept = work_folder("sam", seed) / "scenes"
    return evaluate_segmenter(
        load_segmenter(folder),
        draw_stack(kept, scenes, held_out_seed(seed)),
        draw_stack(kept, shifted, held_out_seed(seed), "shifted"),
    )
