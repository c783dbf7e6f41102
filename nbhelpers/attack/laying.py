"""Pictures of a part with a sticker laid over them, rounded to 8 bits: what an evaluation shows the model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nbhelpers.attack.compose import paste
from nbhelpers.attack.pictures import Part, Picture, Pixels, Prompt
from nbhelpers.attack.poses import PoseRanges, corners_of, side_of

_CHUNK = 64  # pictures composed at once


@dataclass(frozen=True)
class Question:
    """One picture with one question; `number` seeds where the patch lies in it."""

    picture: Picture
    prompt: Prompt
    number: int

    @property
    def right(self) -> str | None:
        """The right answer, where it is known."""
        return self.picture.answers.get(self.prompt.task)


@dataclass(frozen=True)
class Lay:
    """How stickers are laid.

    Attributes:
        share: of the picture's area, all patches together, at scale 1.
        count: patches in a picture.
        side_px: side of the square picture.
        ranges: place, scale, turn, tilt.
        seed: of where they lie; the same for the patch and for every control.
    """

    share: float
    count: int
    side_px: int
    ranges: PoseRanges
    seed: int


def questions_of(part: Part, most: int, seed: int) -> list[Question]:
    """Each of the first `most` pictures with one question, drawn from the seed.

    Args:
        part: pictures and prompts.
        most: questions, at most.
        seed: of which prompt goes with which picture.
    """
    rng = np.random.default_rng((seed, 17))
    prompts = part.prompts
    chosen = rng.integers(len(prompts), size=min(most, len(part.pictures)))
    pairs = zip(part.pictures, chosen, strict=False)
    return [Question(picture, prompts[int(which)], number) for number, (picture, which) in enumerate(pairs)]


def laid(questions: Sequence[Question], pixels: Tensor | None, mask: Tensor, lay: Lay) -> list[Pixels]:
    """The pictures with a sticker in them, (side, side, 3) uint8 each; as they are for None."""
    shown: list[Pixels] = []
    for first in range(0, len(questions), _CHUNK):
        shown += _laid(questions[first : first + _CHUNK], pixels, mask, lay)
    return shown


def _laid(questions: Sequence[Question], pixels: Tensor | None, mask: Tensor, lay: Lay) -> list[Pixels]:
    pictures = [question.picture.pixels(lay.side_px) for question in questions]
    if pixels is None:
        return pictures
    corners = corners_for(questions, mask, lay)
    if pixels.shape[-1] != mask.shape[-1]:
        mask = torch.nn.functional.interpolate(mask[None, None], size=pixels.shape[-2:], mode="nearest")[0, 0]
    made = paste(to_floats(pictures), pixels, mask, corners)
    return list(made.mul(255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy())


def corners_for(questions: Sequence[Question], mask: Tensor, lay: Lay) -> Tensor:
    """Where the patches lie, (N, count, 4, 2): a matter of the seed and the question's number alone."""
    side = side_of(lay.share, lay.count, float(mask.mean()), lay.side_px)
    seeds = [(lay.seed, question.number) for question in questions]
    legal = [question.picture.legal(lay.side_px) for question in questions]
    return torch.from_numpy(corners_of(seeds, side, lay.ranges, lay.count, lay.side_px, legal, mask.numpy()))


def to_floats(pictures: Sequence[Pixels]) -> Tensor:
    """(N, 3, S, S) float32 in 0..1."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
