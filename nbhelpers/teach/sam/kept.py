"""The embeddings of one COCO set while it is trained on: by image id, through the cache."""

import time
from typing import TYPE_CHECKING, Any

from nbhelpers.teach.sam.embeddings import Embedding, EmbeddingCache, embed, image_key

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet


class KeptEmbeddings:
    """Embeddings by image id; an image is decoded again only where its embedding is no longer there.

    Args:
        coco: the set.
        model, processor: of the embeddings.
        cache: where they are kept.

    Attributes:
        encoded: how often the encoder ran.
        encoder_s: seconds it took, keeping them included.
    """

    def __init__(self, coco: "CocoSet", model: Any, processor: Any, cache: EmbeddingCache) -> None:
        self._coco, self._model, self._processor, self._cache = coco, model, processor, cache
        self._keys: dict[int, str] = {}
        self.encoded, self.encoder_s = 0, 0.0

    def __call__(self, image_id: int) -> Embedding:
        """Feature maps (C, h, w) on the CPU, as the cache gives them."""
        key = self._keys.get(image_id)
        found = None if key is None else self._cache.get(key)
        return self._compute(image_id) if found is None else found

    def _compute(self, image_id: int) -> Embedding:
        image = self._coco.image(image_id)
        key = self._keys.setdefault(image_id, image_key(image))
        found = self._cache.get(key)  # another training, or another image of the same pixels, may have it
        if found is not None:
            return found
        began = time.monotonic()
        found = self._cache.put(key, embed(self._model, self._processor, image))
        self.encoded += 1
        self.encoder_s += time.monotonic() - began
        return found
