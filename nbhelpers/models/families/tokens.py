"""Token ids and pixels for example inputs: the right number of each, drawn from a fixed seed."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from nbhelpers.memory.shapes import Shapes

if TYPE_CHECKING:
    import torch

_SEED = 0
IGNORED = -100  # the label that transformers' losses leave out


def special_ids(config: Any) -> set[int]:
    """Ids that a configuration or its parts give a meaning: placeholders, begin, end, padding."""
    ids: set[int] = set()
    for part in (config, getattr(config, "text_config", None)):
        for name, value in vars(part).items() if part is not None else ():
            if name.endswith(("_token_id", "_token_index")) and value is not None:
                ids.update(value if isinstance(value, list | tuple) else [value])
    return ids


def text_ids(config: Any, count: int, batch: int, avoid: Collection[int] = ()) -> "torch.Tensor":
    """Ordinary ids drawn at random.

    Args:
        config: of the model; its `vocab_size` bounds the ids, its special ids are left out.
        count: ids per sample.
        batch: samples.
        avoid: further ids to leave out.

    Returns:
        (batch, count) int64.
    """
    import torch

    vocabulary = config.get_text_config().vocab_size
    ordinary = torch.ones(vocabulary)
    ordinary[[i for i in special_ids(config) | set(avoid) if 0 <= i < vocabulary]] = 0
    ids = ordinary.nonzero().flatten()
    draw = torch.randint(len(ids), (batch, count), generator=torch.Generator().manual_seed(_SEED))
    return ids[draw]


def after(prefix: Sequence[int], config: Any, shapes: Shapes) -> dict[str, Any]:
    """`input_ids` and `attention_mask`: the same prefix for every sample, then ordinary text.

    Args:
        prefix: ids of the pictures with their markers.
        config: of the model.
        shapes: gives batch and text tokens.

    Returns:
        Two (batch, tokens) int64 tensors.
    """
    import torch

    head = torch.tensor(list(prefix), dtype=torch.int64).expand(shapes.batch, -1)
    ids = torch.cat([head, text_ids(config, shapes.text_tokens, shapes.batch)], dim=1)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def text_labels(inputs: dict[str, Any], shapes: Shapes) -> "torch.Tensor":
    """Labels of a language model: the text after the pictures; what stands for pictures is ignored.

    Returns:
        (batch, tokens) int64, -100 where no loss is taken.
    """
    labels = inputs["input_ids"].clone()
    labels[:, : labels.shape[1] - shapes.text_tokens] = IGNORED
    return labels


def pixels(size: Sequence[int], device: str) -> "torch.Tensor":
    """Random pixel values as a processor's normalisation leaves them (about -1 to 1).

    Args:
        size: shape of the tensor.
        device: `cpu` or `meta`.

    Returns:
        float32 of that shape.
    """
    import torch

    if device == "meta":
        return torch.empty(tuple(size), device="meta")
    return torch.rand(tuple(size), generator=torch.Generator().manual_seed(_SEED)) * 2 - 1
