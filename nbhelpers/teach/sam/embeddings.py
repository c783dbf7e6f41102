"""Image embeddings of the frozen encoder: computed once, kept on disk within a bound.

SAM's prompts and masks never reach its image encoder, so the dear half of the model has to see each picture
only once (Kirillov et al. 2023, section 3).
"""

import contextlib
import hashlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nbhelpers.artifacts import sha256_value, write_atomic
from nbhelpers.errors import BadInput
from nbhelpers.runtime import GIB

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

# Feature maps of one picture, finest first, (C, h, w) each; SAM has one, SAM 2 three.
Embedding = tuple["Tensor", ...]

_SUFFIX = ".embedding"
_DIGEST_BYTES = 16
# When the bound is passed, files go until so much of it is used: not one by one with every picture.
_KEPT_SHARE = 0.9
# Another process may write here too, so the folder itself is looked at again after so many files.
_LOOK_EVERY = 256


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


class EmbeddingCache:
    """Embeddings on disk, by the hash of the pixels and of the encoder; the longest unused ones leave first.

    Several processes may use one folder: files appear and vanish whole, and a file that another process has
    taken away is computed again.

    Args:
        folder: made if missing; holds embeddings and nothing else.
        limit_gib: bound of all files in the folder. Another process's files count once the folder is looked
            at, after 256 own files at the latest.
        model_digest: of the encoder, see `encoder_digest`.
        dtype: the numbers are kept in. The encoder ends in a normalisation, so its values are of order 1:
            float16 takes half the room and turned 24 of 127,402 pixels of the small twin's masks.

    Attributes:
        hits, misses: what `get` found and did not find.

    Raises:
        BadInput: a bound that is not above 0.
    """

    def __init__(
        self,
        folder: Path,
        limit_gib: float,
        model_digest: str,
        dtype: Literal["float16", "float32"] = "float16",
    ) -> None:
        if not limit_gib > 0:
            raise BadInput(f"embeddings: a bound of {limit_gib} GiB; give one above 0")
        self.folder, self.dtype = Path(folder), dtype
        self.limit_bytes = int(limit_gib * GIB)
        self.hits = self.misses = 0
        self._digest = model_digest
        self._used, self._puts = self._look(), 0

    def path(self, key: str) -> Path:
        """Where the embedding of a picture lies, or would lie."""
        return self.folder / f"{self._digest[:16]}-{key}-{self.dtype}{_SUFFIX}"

    def get(self, key: str) -> "Embedding | None":
        """The embedding of a picture on the CPU, or None; a damaged file is removed with a warning.

        Args:
            key: of the picture, see `image_key`.
        """
        path = self.path(key)
        found = _read(path)
        if found is None:
            self.misses += 1
            return None
        with contextlib.suppress(FileNotFoundError):  # another process took it away after it was read
            os.utime(path)  # now the last one to leave
        self.hits += 1
        return found

    def put(self, key: str, embedding: "Embedding") -> "Embedding":
        """Keep an embedding; returns it as `get` will give it, rounded to the cache's dtype, on the CPU."""
        import torch
        from safetensors.torch import save

        rounded = tuple(level.detach().to("cpu", getattr(torch, self.dtype)) for level in embedding)
        data = save({f"level_{number}": level.contiguous() for number, level in enumerate(rounded)})
        content = hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest() + data
        write_atomic(self.path(key), content)
        self._used += len(content)
        self._puts += 1
        if self._puts % _LOOK_EVERY == 0:
            self._used = self._look()
        if self._used > self.limit_bytes:
            self._used = self._make_room()
        return rounded

    def bytes_used(self) -> int:
        """Size of all files in the folder."""
        self._used = self._look()
        return self._used

    def _files(self) -> list[tuple[float, int, Path]]:
        """(last use, bytes, path) of every file, the longest unused first."""
        found = []
        for path in self.folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                facts = path.stat()
                found.append((facts.st_mtime, facts.st_size, path))
        return sorted(found)

    def _look(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _make_room(self) -> int:
        files = self._files()
        used = sum(size for _, size, _ in files)
        if used <= self.limit_bytes:
            return used
        for _, size, path in files:
            if used <= _KEPT_SHARE * self.limit_bytes:
                break
            path.unlink(missing_ok=True)
            used -= size
        return used


def _read(path: Path) -> "Embedding | None":
    from safetensors.torch import load

    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    data = content[_DIGEST_BYTES:]
    if hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest() != content[:_DIGEST_BYTES]:
        log.warning("%s: is damaged; the embedding is computed again", path)
        path.unlink(missing_ok=True)
        return None
    levels = load(data)
    return tuple(levels[f"level_{number}"] for number in range(len(levels)))


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
