"""Large tensors in blocks of rows, so that a lesion needs little memory beside the model; seeded draws."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

# 16 MiB of float32. It decides where one draw ends and the next begins: another number is another lesion.
BLOCK = 1 << 22


def blocks(weights: "Tensor") -> "Iterator[Tensor]":
    """Views of whole rows, each of at most `BLOCK` values (or one row), in order."""
    rows = max(1, BLOCK // max(1, weights[0].numel())) if weights.dim() else 1
    yield from weights.split(rows) if weights.dim() else (weights,)


def seed_of(key: Sequence[Any]) -> int:
    """A seed from any values JSON can hold, 0 to 2**63 - 1; equal keys give equal seeds on every machine."""
    text = json.dumps(list(key), ensure_ascii=False)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def draw(kind: str, shape: Sequence[int], key: Sequence[Any]) -> "Tensor":
    """Noise on the CPU.

    Args:
        kind: `normal` (mean 0, deviation 1) or `uniform` (0 to 1, 1 excluded).
        shape: of the block.
        key: see `seed_of`.

    Returns:
        float32.
    """
    import torch

    generator = torch.Generator().manual_seed(seed_of(key))
    made = torch.empty(tuple(shape))
    return made.normal_(generator=generator) if kind == "normal" else made.uniform_(generator=generator)


def energy(weights: "Tensor", offset: float = 0.0) -> float:
    """Sum of squares, of values plus an offset, summed in float64."""
    return sum(float((block.double() + offset).square().sum()) for block in blocks(weights))
