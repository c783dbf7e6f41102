"""What a defender might do to a picture before the model sees it, and what is then left of an attack."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbhelpers.artifacts import Metric
from nbhelpers.attack.evaluation import Goal
from nbhelpers.attack.laying import Question
from nbhelpers.attack.pictures import Pixels
from nbhelpers.attack.success import normalised
from nbhelpers.attack.transforms import jpeg_file
from nbhelpers.attack.victim import Victim
from nbhelpers.metrics import proportion

Views = Callable[[Pixels, np.random.Generator], list[Pixels]]


def _nothing(image: Pixels, rng: np.random.Generator) -> list[Pixels]:
    return [image]


def _eight_bit(image: Any) -> Pixels:
    return np.asarray(image, np.uint8)


def _jpeg(quality: int) -> Views:
    def view(image: Pixels, rng: np.random.Generator) -> list[Pixels]:
        return [jpeg_file(image, quality)]

    return view


def _resize(factor: float) -> Views:
    """Down and up again: fine detail is lost."""

    def view(image: Pixels, rng: np.random.Generator) -> list[Pixels]:
        import cv2

        height, width = image.shape[:2]
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return [_eight_bit(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))]

    return view


def _median(size: int) -> Views:
    def view(image: Pixels, rng: np.random.Generator) -> list[Pixels]:
        import cv2

        return [_eight_bit(cv2.medianBlur(np.ascontiguousarray(image), size))]

    return view


def _crop_vote(votes: int, least: float) -> Views:
    """Several random crops, each enlarged to the whole; the commonest answer counts."""

    def view(image: Pixels, rng: np.random.Generator) -> list[Pixels]:
        return [_crop(image, rng, least) for _ in range(votes)]

    return view


def _crop(image: Pixels, rng: np.random.Generator, least: float) -> Pixels:
    import cv2

    height, width = image.shape[:2]
    share = rng.uniform(least, 1.0)
    tall, wide = max(1, round(height * share)), max(1, round(width * share))
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    part = image[top : top + tall, left : left + wide]
    return _eight_bit(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR))


DEFENCES: Mapping[str, Views] = {
    "none": _nothing,
    "JPEG 75": _jpeg(75),
    "JPEG 30": _jpeg(30),
    "resize to a half": _resize(0.5),
    "median 3x3": _median(3),
    "median 5x5": _median(5),
    "vote of 5 crops": _crop_vote(5, 0.7),
}


@dataclass(frozen=True)
class Defended:
    """One defence against one patch.

    Attributes:
        success: of the patch behind the defence.
        right: answers that are right, with the patch.
        clean: answers that are right without the patch: what the defence costs in peace.
    """

    success: Metric
    right: Metric
    clean: Metric


def defend(
    victim: Victim,
    questions: Sequence[Question],
    attacked: Sequence[Pixels],
    clean: Sequence[Pixels],
    goal: Goal,
    *,
    names: Sequence[str] = tuple(DEFENCES),
    seed: int = 0,
) -> dict[str, Defended]:
    """Ask about every picture behind each defence.

    Args:
        victim: is asked.
        questions: N.
        attacked: the same pictures with the patch, (H, W, 3) uint8.
        clean: without it.
        goal: what counts as success.
        names: of `DEFENCES`.
        seed: of random crops.
    """
    references = _references(victim, questions, clean)
    found = {}
    for name in names:
        said = answers_behind(victim, questions, attacked, name, seed)
        calm = answers_behind(victim, questions, clean, name, seed)
        found[name] = Defended(
            proportion([goal.reached(a, right) for a, right in zip(said, references, strict=True)]),
            proportion([_same(a, right) for a, right in zip(said, references, strict=True)]),
            proportion([_same(a, right) for a, right in zip(calm, references, strict=True)]),
        )
    return found


def _references(victim: Victim, questions: Sequence[Question], clean: Sequence[Pixels]) -> list[str]:
    if all(question.right is not None for question in questions):
        return [question.right or "" for question in questions]
    said = victim.answers(clean, [question.prompt.text for question in questions], label="asking, clean")
    return [question.right or text for question, text in zip(questions, said, strict=True)]


def _same(text: str, other: str) -> bool:
    return normalised(text) == normalised(other)


def answers_behind(
    victim: Victim, questions: Sequence[Question], pictures: Sequence[Pixels], name: str, seed: int
) -> list[str]:
    """Answers with a defence before the model; of several views the commonest answer, the first of equals."""
    views = [
        DEFENCES[name](picture, np.random.default_rng((seed, number)))
        for number, picture in enumerate(pictures)
    ]
    flat = [view for some in views for view in some]
    texts = [q.prompt.text for q, some in zip(questions, views, strict=True) for _ in some]
    said = iter(victim.answers(flat, texts, label=f"asking behind {name}"))
    return [Counter([next(said) for _ in some]).most_common(1)[0][0] for some in views]
