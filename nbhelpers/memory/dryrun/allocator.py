"""torch's CUDA caching allocator, as far as it decides how much is reserved.

Requests are rounded to 512 bytes. Those of at most 1 MiB are cut from segments of 2 MiB, those below 10 MiB
from segments of 20 MiB, larger ones get a segment of their own rounded to 2 MiB. A free block that is large
enough is taken first (the smallest such), split where enough is left, and joined with free neighbours when it
is freed. Segments are never given back: the peak of what is reserved is their sum.

Not covered: expandable segments, other streams, and what is freed and tried again when the GPU is full.

Source: c10/cuda/CUDACachingAllocator.cpp of PyTorch 2.14, default settings.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import Optional

_MIB = 1 << 20
_ROUND, _SMALL, _SMALL_SEGMENT = 512, _MIB, 2 * _MIB
_LARGE_SEGMENT, _OWN_SEGMENT, _OWN_ROUND = 20 * _MIB, 10 * _MIB, 2 * _MIB


@dataclass(eq=False, slots=True)
class _Block:
    """A part of a segment; `before` and `after` are its neighbours there."""

    size: int
    address: int
    small: bool
    free: bool = False
    before: Optional["_Block"] = None
    after: Optional["_Block"] = None


@dataclass
class CachingAllocator:
    """What is reserved after a sequence of requests.

    Attributes:
        reserved: bytes of all segments.
    """

    reserved: int = 0
    _used: dict[int, _Block] = field(default_factory=dict)
    # Free blocks by pool (small, large) as (size, address, block), smallest first.
    _free: dict[bool, list[tuple[int, int, _Block]]] = field(default_factory=lambda: {True: [], False: []})

    def allocate(self, number: int, size: int) -> None:
        """Place `size` bytes under a number of the caller's; nothing is placed for 0 bytes."""
        if size == 0:
            return
        wanted = rounded(size)
        block = self._take(wanted) or self._new_segment(wanted)
        self._used[number] = self._split(block, wanted)

    def release(self, number: int) -> None:
        """Free what was placed under a number."""
        block = self._used.pop(number, None)
        if block is None:  # it had 0 bytes
            return
        block = self._join(block)
        block.free = True
        insort(self._free[block.small], (block.size, block.address, block))

    def _take(self, wanted: int) -> _Block | None:
        pool = self._free[wanted <= _SMALL]
        index = bisect_left(pool, (wanted, -1))
        if index == len(pool):
            return None
        block = pool.pop(index)[2]
        block.free = False
        return block

    def _new_segment(self, wanted: int) -> _Block:
        size = segment_size(wanted)
        block = _Block(size, self.reserved, wanted <= _SMALL)
        self.reserved += size
        return block

    def _split(self, block: _Block, wanted: int) -> _Block:
        left = block.size - wanted
        if left < _ROUND or (not block.small and left <= _SMALL):
            return block
        rest = _Block(left, block.address + wanted, block.small, True, block, block.after)
        if block.after is not None:
            block.after.before = rest
        block.size, block.after = wanted, rest
        insort(self._free[rest.small], (rest.size, rest.address, rest))
        return block

    def _join(self, block: _Block) -> _Block:
        """Join with the free neighbours, which leave their pool."""
        if block.before is not None and block.before.free:
            self._forget(block.before)
            block = _merged(block.before, block)
        if block.after is not None and block.after.free:
            self._forget(block.after)
            block = _merged(block, block.after)
        return block

    def _forget(self, block: _Block) -> None:
        pool = self._free[block.small]
        del pool[bisect_left(pool, (block.size, block.address))]


def _merged(first: _Block, second: _Block) -> _Block:
    first.size += second.size
    first.after = second.after
    if second.after is not None:
        second.after.before = first
    return first


def rounded(size: int) -> int:
    """A request as the allocator sees it: a multiple of 512 bytes."""
    return -(-size // _ROUND) * _ROUND


def segment_size(wanted: int) -> int:
    """How much is asked of CUDA for a request nothing free can serve."""
    if wanted <= _SMALL:
        return _SMALL_SEGMENT
    if wanted < _OWN_SEGMENT:
        return _LARGE_SEGMENT
    return -(-wanted // _OWN_ROUND) * _OWN_ROUND
