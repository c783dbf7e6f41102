"""Training batches: drawn scenes held in memory, changed a little each time they are seen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.data.scenes import BASE_CLASSES
from nbhelpers.teach.grounding_dino import prompt_of
from nbhelpers.twins.grounding_dino.vocabulary import WORDS

if TYPE_CHECKING:
    from transformers import GroundingDinoProcessor

    from nbhelpers.data.coco import CocoSet
    from nbhelpers.twins.grounding_dino.losses import Targets

Rng = np.random.Generator
# Kept out of every training prompt: the shifted world's new classes, and words to test unseen ones with.
UNSEEN = ("ladder", "jack", "bicycle", "chair", "drum", "robot")
ABSENT = tuple(word for word in WORDS if word not in (*BASE_CLASSES, *UNSEEN) and len(word) > 3)
PREFIXES = ("a", "the", "one")


@dataclass(frozen=True)
class SceneMemory:
    """Square scenes of one size in memory.

    Attributes:
        images: (N, S, S, 3) uint8 RGB.
        boxes: per scene (n, 4) float32: centre x, centre y, width, height as shares of the picture.
        classes: per scene (n,) int64, index in `names`.
        names: class names.
    """

    images: np.ndarray
    boxes: list[np.ndarray]
    classes: list[np.ndarray]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Batch:
    """One batch with one prompt: what the processor made of it, and what is to be found."""

    inputs: dict[str, Any]
    targets: "Targets"


def read_memory(scenes: "CocoSet") -> SceneMemory:
    """Decode a whole set of square pictures of one size; 5,000 of 128 px take 240 MB."""
    boxes, classes = [], []
    for image in scenes.images:
        found = scenes.annotations_of(image["id"])
        corner = np.array([item["bbox"] for item in found], np.float32).reshape(-1, 4)
        centre = np.concatenate([corner[:, :2] + corner[:, 2:] / 2, corner[:, 2:]], axis=1)
        boxes.append(centre / np.float32(image["width"]))
        classes.append(np.array([scenes.class_index[item["category_id"]] for item in found], np.int64))
    images = np.stack([scenes.image(image_id) for image_id in scenes.image_ids])
    return SceneMemory(images, boxes, classes, tuple(scenes.class_names))


def batch_maker(
    memory: SceneMemory, processor: "GroundingDinoProcessor", size: int, seed: int
) -> Callable[[int], Batch]:
    """A pure function from the batch's number to the batch: a resumed training sees the same ones.

    Args:
        memory: scenes; each is seen once per epoch, in an order of the epoch's own.
        processor: prepares pictures and prompt.
        size: pictures per batch.
        seed: of order, changes and prompts.
    """
    per_epoch = len(memory.images) // size

    def make(number: int) -> Batch:
        epoch, place = divmod(number, per_epoch)
        order = np.random.default_rng((seed, 1, epoch)).permutation(len(memory.images))
        rng = np.random.default_rng((seed, 2, number))
        return _batch(rng, memory, order[place * size : (place + 1) * size], processor)

    return make


def _batch(rng: Rng, memory: SceneMemory, indices: np.ndarray, processor: "GroundingDinoProcessor") -> Batch:
    """Prompt, changed pictures, and the objects the prompt asks for."""
    phrases, place_of = draw_prompt(rng, memory.names)
    images, boxes, classes = [], [], []
    for index in indices:
        image, box = flipped(rng, memory.images[index], memory.boxes[index])
        numbers = np.array([place_of.get(int(c), -1) for c in memory.classes[index]], np.int64)
        images.append(photometric(rng, image))
        boxes.append(box[numbers >= 0])
        classes.append(numbers[numbers >= 0])
    prompt = prompt_of(phrases)
    inputs = processor(images=images, text=[prompt] * len(images), return_tensors="pt")
    return Batch(dict(inputs), pad_targets(boxes, classes))


def draw_prompt(rng: Rng, names: tuple[str, ...]) -> tuple[list[str], dict[int, int]]:
    """Phrases in random order, and class index -> place of its phrase.

    Mostly all classes, else some of them; up to two words for things that are in no scene, so that asking for
    what is not there is learnt too; now and then an article.
    """
    count = len(names) if rng.random() < 0.5 else int(rng.integers(1, len(names) + 1))
    chosen: list[int] = [int(c) for c in rng.permutation(len(names))[:count]]
    absent = [str(word) for word in rng.choice(ABSENT, size=int(rng.integers(0, 3)), replace=False)]
    words = [*(names[index] for index in chosen), *absent]
    order = rng.permutation(len(words))
    phrases = [
        f"{PREFIXES[int(rng.integers(3))]} {words[i]}" if rng.random() < 0.08 else words[i] for i in order
    ]
    place_of = {chosen[i]: place for place, i in enumerate(order.tolist()) if i < len(chosen)}
    return phrases, place_of


def flipped(rng: Rng, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left to right every second time; boxes (n, 4) in centre form, 0..1."""
    if rng.random() < 0.5:
        return image, boxes
    mirrored = boxes.copy()
    mirrored[:, 0] = 1 - mirrored[:, 0]
    return image[:, ::-1], mirrored


def photometric(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Another exposure, contrast, colour cast and sensor noise: (H, W, 3) uint8 in and out."""
    gain = rng.uniform(0.4, 1.3) * rng.uniform(0.86, 1.14, 3)
    contrast = rng.uniform(0.7, 1.25)
    middle = float(image.mean())
    picture = ((image - np.float32(middle)) * np.float32(contrast) + np.float32(middle)) * gain.astype(
        np.float32
    )
    if rng.random() < 0.5:
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        picture += noise * np.float32(rng.uniform(0, 9))
    return np.clip(picture, 0, 255).astype(np.uint8)


def pad_targets(boxes: list[np.ndarray], classes: list[np.ndarray]) -> "Targets":
    """Objects of the pictures of a batch, padded to the fullest; one place at least."""
    import torch

    from nbhelpers.twins.grounding_dino.losses import Targets

    most = max(1, *(len(own) for own in boxes))
    shape = (len(boxes), most)
    targets = Targets(
        torch.full((*shape, 4), 0.5),
        torch.zeros(shape, dtype=torch.int64),
        torch.zeros(shape, dtype=torch.bool),
    )
    for row, (own, numbers) in enumerate(zip(boxes, classes, strict=True)):
        targets.boxes[row, : len(own)] = torch.from_numpy(own)
        targets.classes[row, : len(own)] = torch.from_numpy(numbers)
        targets.real[row, : len(own)] = True
    return targets
