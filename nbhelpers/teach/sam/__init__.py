"""SAM and SAM 2 as teachers of masks: embeddings kept on disk, masks for boxes, LoRA on the mask decoder."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.teach.sam.embeddings import (
        Embedding,
        EmbeddingCache,
        embed,
        embed_through,
        encoder_digest,
        image_key,
    )
    from nbhelpers.teach.sam.outlines import Masks, decode, full_size, segment
    from nbhelpers.teach.sam.placement import Placed, placed
    from nbhelpers.teach.sam.tuning import tune_sam

_HOME = {
    "Embedding": "embeddings",
    "EmbeddingCache": "embeddings",
    "embed": "embeddings",
    "embed_through": "embeddings",
    "encoder_digest": "embeddings",
    "image_key": "embeddings",
    "Placed": "placement",
    "placed": "placement",
    "Masks": "outlines",
    "decode": "outlines",
    "full_size": "outlines",
    "segment": "outlines",
    "tune_sam": "tuning",
}

__all__ = [
    "Embedding",
    "EmbeddingCache",
    "embed",
    "embed_through",
    "encoder_digest",
    "image_key",
    "Placed",
    "placed",
    "Masks",
    "decode",
    "full_size",
    "segment",
    "tune_sam",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the modules below bring torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
