"""Batch number k of the training, a pure function of (seed, k)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nbhelpers.data.stills import Still, add_sticker, render_still
from nbhelpers.twins.gemma3.architecture import IMAGE, PAD, PICTURE_PX, SPECIAL
from nbhelpers.twins.gemma3.attributes import stack, target, targets
from nbhelpers.twins.gemma3.prompts import Example, draw_question, draw_reading

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

_IGNORED = -100
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


def pixels(images: Sequence[np.ndarray]) -> "Tensor":
    """What the stock processor makes of pictures of 64 px: (N, 3, 64, 64) float32, -1..1."""
    stacked = torch.from_numpy(np.stack(images))
    return stacked.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def encode(examples: Sequence[Example], vocabulary: "Tokenizer") -> "dict[str, Tensor]":
    """Model inputs of N examples, padded on the right; labels on the answers only."""
    parts = vocabulary.encode_batch(
        [text for one in examples for text in (one.prompt, one.answer)], add_special_tokens=False
    )
    prompts, answers = parts[::2], parts[1::2]
    longest = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
    ids = np.full((len(examples), longest), SPECIAL.index(PAD))
    labels = np.full_like(ids, _IGNORED)
    mask = np.zeros_like(ids)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        whole = [*prompt.ids, *answer.ids]
        ids[row, : len(whole)], mask[row, : len(whole)] = whole, 1
        labels[row, len(prompt) : len(whole)] = answer.ids
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(mask),
        # 1 on picture tokens: they look at each other in both directions.
        "token_type_ids": torch.from_numpy((ids == SPECIAL.index(IMAGE)).astype(np.int64)),
        "labels": torch.from_numpy(labels),
    }


@dataclass(frozen=True)
class Pictures:
    """Pictures with their attributes, again and again in another order: what the first stage learns from.

    Drawing takes as long as learning here; so each of `pool` pictures is drawn once and kept (17 kB each).
    """

    seed: int
    size: int
    pool: int
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
            self._drawn[index] = still.image, target(still)
        return self._drawn[index]


@dataclass(frozen=True)
class Conversations:
    """Questions about pictures beside texts without: what the second stage learns from.

    `offset` is the number of the first picture.
    """

    seed: int
    pictures: int
    texts: int
    offset: int
    vocabulary: "Tokenizer"

    def __call__(self, number: int) -> dict[str, Any]:
        """`asked`: model inputs with pictures; `read`: model inputs without; `true`: attributes."""
        rng = np.random.default_rng((self.seed, 5, number))
        first = self.offset + number * self.pictures
        stills = [training_still(first + i, self.seed) for i in range(self.pictures)]
        asked = encode([draw_question(rng, still) for still in stills], self.vocabulary)
        read = encode([draw_reading(rng) for _ in range(self.texts)], self.vocabulary)
        return {
            "asked": {**asked, "pixel_values": pixels([still.image for still in stills])},
            "read": read,
            "true": targets(stills),
        }
