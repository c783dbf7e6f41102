"""The builder: rules to one `Compose` that keeps image, boxes, classes, masks and key points together."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.artifacts import sha256_value
from nbhelpers.data.augment.conditions import Conditions
from nbhelpers.data.augment.library import albumentations
from nbhelpers.data.augment.rules import Rules, rules_for
from nbhelpers.data.augment.sample import Sample
from nbhelpers.data.augment.transforms import GEOMETRY, transform_for

if TYPE_CHECKING:
    from nbhelpers.settings import DataSection

# Raise it with every change of what a rule does to a picture: what was made by another version is made again.
VERSION = 1
_KEPT_SIZES = 16  # pipelines kept, one per rounded size of picture


@dataclass
class Augmenter:
    """Augments samples; the same sample and seed give the same bytes, whatever was drawn before.

    Made by `build_augmenter`. May be called from several threads, which take turns.

    Attributes:
        rules: what it applies, in order.
        seed: of all draws, together with each call's own.
        image_size: shorter side the strengths are meant for, pixels; None takes each picture's own.
        min_visibility: an object of which less is left inside the picture, or uncovered, is removed, 0..1.
    """

    rules: Rules
    seed: int = 0
    image_size: int | None = None
    min_visibility: float = 0.15
    _pipelines: dict[int, Any] = field(default_factory=dict, repr=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def fingerprint(self) -> str:
        """By which one knows again what this augmenter does."""
        rules = [(rule.transform, rule.strength, rule.probability) for rule in self.rules]
        made = {"rules": rules, "seed": self.seed, "size": self.image_size, "least": self.min_visibility}
        return sha256_value({**made, "version": VERSION})

    def __call__(self, sample: Sample, seed: int) -> Sample:
        """Draw one augmented version.

        Args:
            sample: the original; it is not changed.
            seed: 0 or more; of this draw.

        Returns:
            A new sample of the same size. `index` says which object of `sample` each one is; objects of which
            too little is left are gone. Boxes are tight around the masks of objects that have one.
        """
        if not self.rules.rules:
            return sample
        with self._turn:
            pipeline = self._pipeline(min(sample.image.shape[:2]))
            # Not `set_random_seed`: it seeds every transform alike, so all would fire together or none.
            words = np.random.SeedSequence([self.seed, seed]).generate_state(4)
            state = random.Random(int.from_bytes(words.tobytes(), "little"))
            pipeline.set_random_state(np.random.default_rng(words.tolist()), state)
            done = pipeline(**_given(sample))
            covered = [step.params["covered"] for step in pipeline.transforms if "covered" in step.params]
        return _taken(sample, done, covered)

    def _pipeline(self, side_px: int) -> Any:
        """The `Compose` for pictures of about this size."""
        side = self.image_size or round(side_px / 16) * 16
        if side_px < 16:
            side = side_px
        if side not in self._pipelines:
            while len(self._pipelines) >= _KEPT_SIZES:
                self._pipelines.pop(next(iter(self._pipelines)))
            self._pipelines[side] = compose(self.rules, side, self.min_visibility)
        return self._pipelines[side]

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels to other processes without its pipelines."""
        return Augmenter, (self.rules, self.seed, self.image_size, self.min_visibility)


def build_augmenter(
    conditions: Conditions,
    image_size: int | None = None,
    *,
    geometry: bool = True,
    always: bool = False,
    min_visibility: float = 0.15,
) -> Augmenter:
    """An augmenter for these conditions.

    Args:
        conditions: of the site.
        image_size: shorter side of the pictures, pixels; None: each picture's own.
        geometry: False leaves out transforms that move pixels, so that feature maps of the original picture
            still lie where its pixels do.
        always: apply every rule to every picture (for previews and tests).
        min_visibility: see `Augmenter`.
    """
    found = rules_for(conditions)
    chosen = [rule for rule in found if geometry or rule.transform not in GEOMETRY]
    if always:
        chosen = [replace(rule, probability=1.0) for rule in chosen]
    return Augmenter(Rules(tuple(chosen), found.notes), conditions.seed, image_size, min_visibility)


def site_augmenter(settings: "DataSection", say: Callable[[str], None]) -> Augmenter | None:
    """The augmenter a training uses where the settings say what its site is like; None where all is calm.

    Args:
        settings: section `data`; `augment` and `seed` count.
        say: told which transforms are applied, and which words asked for them.
    """
    augmenter = build_augmenter(Conditions.of(settings.augment, settings.seed))
    if not augmenter.rules.rules:
        return None
    asked = ", ".join(f"{rule.transform} ({rule.asked_by})" for rule in augmenter.rules)
    say(f"augmentation, {settings.augment.intensity}: {asked}")
    return augmenter


def compose(rules: Rules, side_px: int, min_visibility: float = 0.15) -> Any:
    """One `albumentations.Compose` of all rules, for boxes XYXY in pixels, masks and key points."""
    library = albumentations()
    boxes = library.BboxParams(
        format="pascal_voc",
        label_fields=["place", "origin"],
        min_visibility=min_visibility,
        clip=True,
    )
    points = library.KeypointParams(format="xy", label_fields=["point"], remove_invisible=False)
    transforms = [transform_for(rule, side_px, min_visibility) for rule in rules]
    # Without one transform that takes labels, albumentations warns that nobody uses them.
    return library.Compose([library.NoOp(), *transforms], bbox_params=boxes, keypoint_params=points)


def _given(sample: Sample) -> dict[str, Any]:
    """A sample as albumentations takes it."""
    number = np.arange(len(sample), dtype=np.float32)
    data: dict[str, Any] = {"image": sample.image, "bboxes": sample.boxes, "place": number, "origin": number}
    points = np.zeros((0, 3), np.float32) if sample.keypoints is None else sample.keypoints.reshape(-1, 3)
    data |= {"keypoints": points[:, :2], "point": np.arange(len(points), dtype=np.float32)}
    if sample.masks is not None and len(sample):
        data["masks"] = sample.masks.astype(np.uint8)
    return data


def _taken(sample: Sample, done: dict[str, Any], covered: list[NDArray[np.bool_]]) -> Sample:
    """What albumentations returned as a sample, with everything of one object at one place."""
    boxes = np.asarray(done["bboxes"], np.float32).reshape(-1, 4)
    place, origin = (np.asarray(done[key]).astype(np.int64).reshape(-1) for key in ("place", "origin"))
    image = np.ascontiguousarray(done["image"])
    masks = None if sample.masks is None else np.zeros((0, *image.shape[:2]), bool)
    if sample.masks is not None and len(place):
        masks = np.asarray(done["masks"])[place] > 0
        had = np.asarray(sample.masks.any(axis=(1, 2)), bool)[origin]
        boxes = np.where(had[:, None], tight_boxes(masks), boxes).astype(np.float32)
        keep = np.flatnonzero(~had | masks.any(axis=(1, 2)))
        boxes, place, origin, masks = boxes[keep], place[keep], origin[keep], masks[keep]
    points = _points(sample, done, covered)
    if points is not None and points.ndim == 3:
        points = points[origin]
        points[place >= len(sample)] = 0  # nobody marked the points of a pasted copy
    return Sample(image, boxes, sample.classes[origin], masks, points, sample.objects[origin])


def tight_boxes(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """XYXY boxes (n, 4) in pixels round masks (n, H, W); zeros where a mask is empty."""
    boxes = np.zeros((len(masks), 4), np.float32)
    for axis, low in ((1, 0), (2, 1)):  # along the height: columns; along the width: rows
        line = np.asarray(masks.any(axis=axis), bool)
        filled = np.asarray(line.any(axis=1), bool)
        boxes[:, low] = np.where(filled, line.argmax(axis=1), 0)
        boxes[:, low + 2] = np.where(filled, line.shape[1] - line[:, ::-1].argmax(axis=1), 0)
    return boxes


def _points(
    sample: Sample, done: dict[str, Any], covered: list[NDArray[np.bool_]]
) -> NDArray[np.float32] | None:
    """Key points where they are now: hidden where covered, and (0, 0, 0) where they left the picture."""
    if sample.keypoints is None:
        return None
    moved = np.zeros((sample.keypoints.size // 3, 3), np.float32)
    number = np.asarray(done["point"]).astype(np.int64).reshape(-1)
    moved[number, :2] = np.asarray(done["keypoints"], np.float32).reshape(-1, 2)
    moved[number, 2] = sample.keypoints.reshape(-1, 3)[number, 2]
    size = np.array(done["image"].shape[1::-1])
    inside = ((moved[:, :2] >= 0) & (moved[:, :2] < size)).all(axis=1)
    moved[~inside | (moved[:, 2] == 0)] = 0
    # Nothing moves after something was covered: the order of the pipeline sees to that.
    x, y = moved[:, :2].astype(int).T
    for hidden in covered:
        moved[hidden[y, x] & (moved[:, 2] > 1), 2] = 1
    return moved.reshape(sample.keypoints.shape)
