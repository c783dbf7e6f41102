"""Pictures in memory, up to a bound."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from nbhelpers.distill.batches.picture import Picture

_MIB = 2**20


class Kept:
    """Pictures by key, least recently used out first, bounded in MiB; safe from several threads.

    Attributes:
        bytes: held; `limit_mib` is their bound, MiB.
    """

    def __init__(self, limit_mib: float) -> None:
        self.limit_mib, self.bytes = limit_mib, 0
        self._limit = limit_mib * _MIB
        self._held: OrderedDict[Hashable, Picture] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Hashable, make: Callable[[], Picture]) -> Picture:
        """The picture of this key; made, outside the lock, where it is not held."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        made = make()
        with self._lock:
            self._keep(key, made)
        return made

    def _keep(self, key: Hashable, made: Picture) -> None:
        if key in self._held or made.nbytes > self._limit:
            return
        self._held[key] = made
        self.bytes += made.nbytes
        while self.bytes > self._limit:
            self.bytes -= self._held.popitem(last=False)[1].nbytes
