"""Decoded images in memory, up to a bound."""

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

_MIB = 2**20


class ImageCache:
    """Decoded images, least recently used out first, bounded in MiB."""

    def __init__(self, limit_mib: float) -> None:
        self._limit = limit_mib * _MIB
        self._held: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self.bytes = 0

    def get(self, key: int) -> NDArray[np.uint8] | None:
        """The image if it is held; it then counts as just used."""
        if key in self._held:
            self._held.move_to_end(key)
        return self._held.get(key)

    def put(self, key: int, pixels: NDArray[np.uint8]) -> None:
        """Hold an image; the oldest go until the bound holds again. One larger than the bound is not held."""
        if pixels.nbytes > self._limit or key in self._held:
            return
        self._held[key] = pixels
        self.bytes += pixels.nbytes
        while self.bytes > self._limit:
            self.bytes -= self._held.popitem(last=False)[1].nbytes
