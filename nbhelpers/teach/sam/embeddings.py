"""Image embeddings of the frozen encoder: computed once, kept on disk within a bound.

SAM's prompts and masks never reach its image encoder, so the dear half of the model has to see each picture
only once (Kirillov et al. 2023, section 3).
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nbhelpers.artifacts import sha256_value
from nbhelpers.training.tensor_cache import TensorCache

if TYPE_CHECKING:
    from torch import Tensor, nn

# Feature maps of one picture, finest first, (C, h, w) each; SAM has one, SAM 2 three.
Embedding = tuple["Tensor", ...]

_DIGEST_BYTES = 16


def plain_model(model: Any) -> Any:
    """The transformers model inside a peft model; others are given back as they are."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def embed(model: Any, processor: Any, image: NDArray[np.uint8]) -> Embedding:
    """Run the image encoder on one picture, through the stock image processor.

    Args:
        model: SamModel or Sam2Model, wrapped by peft or not.
        processor: of the model.
        image: (H, W, 3) uint8 RGB.

    Returns:
        Feature maps (C, h, w) on the model's device in its dtype, without gradient. Those of SAM 2 have gone
        through the decoder's two projections of fine features, as the class keeps them.
    """
    import torch

    base = plain_model(model)
    weights = next(base.vision_encoder.parameters())
    images = getattr(processor, "image_processor", processor)
    pixels = images(images=[image], return_tensors="pt")["pixel_values"]
    # Inside a training step autocast may be on; what is kept must not depend on who asked for it first.
    with torch.no_grad(), torch.autocast(weights.device.type, enabled=False):
        found = base.get_image_embeddings(pixels.to(weights.device, weights.dtype))
    levels = found if isinstance(found, list | tuple) else [found]
    return tuple(level[0] for level in levels)


def encoder_digest(model: Any, processor: Any) -> str:
    """32 hex digits of all an embedding depends on beside the picture: weights, their dtype, the processor.

    About a second per GiB of weights.
    """
    from nbhelpers.models import tensor_digests

    base = plain_model(model)
    parts = {"vision_encoder": tensor_digests(base.vision_encoder)}
    for name, module in _beside_encoder(base).items():
        parts[name] = tensor_digests(module)
    images = getattr(processor, "image_processor", processor)
    return sha256_value({"weights": parts, "processor": images.to_dict()})[: 2 * _DIGEST_BYTES]


def _beside_encoder(base: Any) -> "dict[str, nn.Module]":
    """What of SAM 2 takes part in its embeddings without lying in the encoder."""
    from torch import nn

    found = {
        n: getattr(base.mask_decoder, n) for n in ("conv_s0", "conv_s1") if hasattr(base.mask_decoder, n)
    }
    if hasattr(base, "no_memory_embedding"):
        found["no_memory_embedding"] = nn.ParameterList([base.no_memory_embedding])
    return found


def image_key(image: NDArray[np.uint8]) -> str:
    """32 hex digits of a picture's size and pixels."""
    digest = hashlib.blake2b(str(image.shape).encode(), digest_size=_DIGEST_BYTES)
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


class EmbeddingCache(TensorCache):
    """Embeddings on disk, by the hash of the pixels and of the encoder; see `TensorCache`.

    The encoder ends in a normalisation, so its values are of order 1: float16 takes half the room and turned
    24 of 127,402 pixels of the small twin's masks.
    """

    def __init__(
        self,
        folder: Path,
        limit_gib: float,
        model_digest: str,
        dtype: Literal["float16", "float32"] = "float16",
    ) -> None:
        super().__init__(folder, limit_gib, model_digest, dtype)


def embed_through(
    cache: EmbeddingCache, model: Any, processor: Any, image: NDArray[np.uint8], key: str | None = None
) -> Embedding:
    """`embed` through a cache: the same numbers whether they were kept or had to be computed.

    Args:
        cache: of this model's embeddings.
        model: see `embed`.
        processor: see `embed`.
        image: (H, W, 3) uint8 RGB.
        key: of the picture where it is known already.

    Returns:
        Feature maps (C, h, w) on the CPU in the cache's dtype.
    """
    key = key or image_key(image)
    found = cache.get(key)
    return cache.put(key, embed(model, processor, image)) if found is None else found
