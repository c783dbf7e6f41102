"""What helps the vision tower to learn: the colour, kind and size of what lies where, read off its outputs.

The language loss alone tells the tower little: one word in a sentence for a whole picture. These heads are
trained beside it and are dropped afterwards; the saved model has nothing of them.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from nbhelpers.data.stills import STILL_WORLDS, Still
from nbhelpers.twins.stills.tower import PATCH_PX, PATCHES, PICTURE_PX, VISION

if TYPE_CHECKING:
    from torch import Tensor

COLORS = tuple(STILL_WORLDS["base"].colors)
KINDS = STILL_WORLDS["base"].kinds
_PLACES = ("left", "right", "above", "below", "alone left", "alone middle", "alone right")
_IGNORED = -100
# Share of a patch that an object must cover for the patch to be told its colour and kind.
_COVERED = 0.2
_SPLIT = (3, len(KINDS), len(COLORS))


def targets(stills: Sequence[Still], cells: int) -> "dict[str, Tensor]":
    """True attributes of N pictures of 64 px that become `cells` x `cells` tokens.

    Returns:
        `patches` (N, 3, 64) and `cells` (N, cells ** 2): per patch role (0 nothing, 1 the larger object, 2
        the smaller), kind and colour, per cell the role; `objects` (N, 2, 2): kind and colour of the larger
        and the smaller; `place` (N,). All int64; -100 where there is nothing to know. `shape`
        (N, 64, 64) bool: for each patch which of its pixels show an object.
    """
    return stack([target(still, cells) for still in stills])


def stack(rows: "Sequence[Mapping[str, np.ndarray]]") -> "dict[str, Tensor]":
    """Rows of `target` as one batch."""
    return {key: torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]}


def target(still: Still, cells: int) -> dict[str, np.ndarray]:
    """One row of `targets`."""
    masks = np.stack([thing.mask for thing in still.objects])
    role = _roles(masks, PATCHES)
    numbers = np.full((2, 2), _IGNORED)
    for place, thing in enumerate(still.objects):
        numbers[place] = KINDS.index(thing.kind), COLORS.index(thing.color)
    known = np.concatenate([[[_IGNORED, _IGNORED]], numbers])[role]
    alone = "alone " if len(still.objects) == 1 else ""
    return {
        "patches": np.stack([role, known[:, 0], known[:, 1]]),
        "cells": _roles(masks, cells),
        "shape": _by_patch(np.logical_or.reduce(masks)),
        "objects": numbers,
        "place": np.array(_PLACES.index(alone + still.place)),
    }


def _roles(masks: np.ndarray, side: int) -> np.ndarray:
    """0, 1 or 2 for each of side x side squares, (side ** 2,) int64."""
    step = PICTURE_PX // side
    shares = masks.reshape(len(masks), side, step, side, step).mean(axis=(2, 4)).reshape(len(masks), -1)
    return np.where(shares.max(axis=0) >= _COVERED * (PATCH_PX / step), shares.argmax(axis=0) + 1, 0)


def _by_patch(mask: np.ndarray) -> np.ndarray:
    """A mask (64, 64) cut into patches (64, 64), each a row of its pixels."""
    cut = mask.reshape(PATCHES, PATCH_PX, PATCHES, PATCH_PX).transpose(0, 2, 1, 3)
    return cut.reshape(PATCHES**2, PATCH_PX**2)


class AttributeHead(nn.Module):
    """Reads attributes off the tower's patches (N, 64, 96) and the projector's tokens (N, cells ** 2, width).

    Args:
        width: of the projector's tokens.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.patch = nn.Linear(VISION, sum(_SPLIT))
        self.shape = nn.Linear(VISION, PATCH_PX**2)
        self.role = nn.Linear(width, 3)
        self.kind, self.color = nn.Linear(width, len(KINDS)), nn.Linear(width, len(COLORS))
        self.place = nn.Linear(2 * width, len(_PLACES))

    def forward(self, patches: "Tensor", tokens: "Tensor", true: "dict[str, Tensor]") -> "dict[str, Tensor]":
        """The losses by name, each a scalar."""
        role, kind, color = self.patch(patches).split(_SPLIT, dim=-1)
        wanted = true["patches"]
        roles = self.role(tokens)
        seen = roles[..., 1:].softmax(dim=1).transpose(1, 2) @ tokens  # (N, 2, width)
        return {
            "patch_role": _entropy(role, wanted[:, 0]),
            "patch_kind": _entropy(kind, wanted[:, 1]),
            "patch_color": _entropy(color, wanted[:, 2]),
            "shape": functional.binary_cross_entropy_with_logits(self.shape(patches), true["shape"].float()),
            "role": _entropy(roles, true["cells"]),
            "kind": _entropy(self.kind(seen), true["objects"][..., 0]),
            "color": _entropy(self.color(seen), true["objects"][..., 1]),
            "place": _entropy(self.place(seen.flatten(1)), true["place"]),
        }


def _entropy(logits: "Tensor", wanted: "Tensor") -> "Tensor":
    return functional.cross_entropy(logits.flatten(0, -2), wanted.flatten(), ignore_index=_IGNORED)
