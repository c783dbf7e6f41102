"""Pictures to learn from, with their attributes; a batch is a pure function of (seed, number)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nbhelpers.data.stills import Still, add_sticker, render_still
from nbhelpers.twins.stills.attributes import stack, target, targets
from nbhelpers.twins.stills.tower import PICTURE_PX

if TYPE_CHECKING:
    from torch import Tensor

# Share of the pictures that carry a sticker: what is stuck on a photograph is no object in it.
_STICKERS = 0.4


def training_seed(seed: int) -> int:
    """Seed of the pictures that are trained on; `held_out_seed` draws others."""
    return 2 * seed


def held_out_seed(seed: int) -> int:
    """Seed of the pictures that are never trained on."""
    return 2 * seed + 1


def training_still(index: int, seed: int) -> Still:
    """A picture that is trained on, with a sticker or without: a pure function of both."""
    still = render_still(index, PICTURE_PX, training_seed(seed))
    rng = np.random.default_rng((seed, 15, index))
    return add_sticker(rng, still) if rng.random() < _STICKERS else still


def training_stills(first: int, count: int, seed: int) -> list[Still]:
    """`count` of them, from number `first` on."""
    return [training_still(first + place, seed) for place in range(count)]


def pixels(images: Sequence[np.ndarray]) -> "Tensor":
    """What the stock processors make of pictures of 64 px: (N, 3, 64, 64) float32, -1..1."""
    stacked = torch.from_numpy(np.stack(images))
    return stacked.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def shown(stills: Sequence[Still], asked: "dict[str, Tensor]", cells: int) -> dict[str, Any]:
    """A batch of the second stage: `asked`, questions with their pictures; `true`, the pictures' attributes.

    Args:
        stills: one to a question.
        asked: the questions as model inputs.
        cells: what a picture becomes for the language model, to a side.
    """
    values = pixels([still.image for still in stills])
    return {"asked": {**asked, "pixel_values": values}, "true": targets(stills, cells)}


@dataclass(frozen=True)
class Pictures:
    """Pictures with their attributes, again and again in another order: what the first stage learns from.

    Drawing takes as long as learning here; so each of `pool` pictures is drawn once and kept (17 kB each).
    `cells` is what a picture becomes for the language model, to a side.
    """

    seed: int
    size: int
    pool: int
    cells: int
    _drawn: dict[int, tuple[np.ndarray, dict[str, np.ndarray]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __call__(self, number: int) -> dict[str, Any]:
        """`pixel_values` and `true`."""
        epoch, place = divmod(number, self.pool // self.size)
        order = np.random.default_rng((self.seed, 13, epoch)).permutation(self.pool)
        rows = [self._row(int(index)) for index in order[place * self.size : (place + 1) * self.size]]
        return {"pixel_values": pixels([row[0] for row in rows]), "true": stack([row[1] for row in rows])}

    def _row(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        if index not in self._drawn:
            still = training_still(index, self.seed)
            self._drawn[index] = still.image, target(still, self.cells)
        return self._drawn[index]
