"""The model of torch's caching allocator, on sequences worked out by hand."""

import random

import pytest

from nbhelpers.memory.dryrun.allocator import CachingAllocator, rounded, segment_size

MIB = 1 << 20


def reserve(*steps):
    """Positive: (number, size) to place; an int: a number to free."""
    allocator = CachingAllocator()
    for step in steps:
        allocator.release(step) if isinstance(step, int) else allocator.allocate(*step)
    return allocator.reserved


def test_rounding_and_segments():
    assert [rounded(n) for n in (1, 512, 513)] == [512, 512, 1024]
    assert segment_size(512) == segment_size(MIB) == 2 * MIB
    assert segment_size(MIB + 512) == segment_size(10 * MIB - 512) == 20 * MIB
    assert segment_size(10 * MIB) == 10 * MIB
    assert segment_size(11 * MIB) == 12 * MIB


def test_small_requests_share_a_segment_and_large_ones_another():
    assert reserve((1, 100), (2, 100)) == 2 * MIB
    assert reserve((1, MIB), (2, MIB)) == 2 * MIB
    assert reserve((1, MIB), (2, MIB), (3, 1)) == 4 * MIB
    assert reserve((1, 6 * MIB), (2, 6 * MIB), (3, 6 * MIB)) == 20 * MIB
    assert reserve((1, 100), (2, 6 * MIB)) == 22 * MIB


def test_what_was_freed_is_used_again():
    assert reserve((1, 100 * MIB), 1, (2, 100 * MIB)) == 100 * MIB
    assert reserve((1, 100 * MIB), 1, (2, 30 * MIB), (3, 70 * MIB)) == 100 * MIB


def test_a_gap_that_is_too_small_stays_a_gap():
    assert reserve((1, 100 * MIB), 1, (2, 102 * MIB)) == 202 * MIB


def test_neighbours_join_in_any_order():
    parts = [(n, 20 * MIB) for n in range(2, 7)]
    for order in ([2, 3, 4, 5, 6], [6, 5, 4, 3, 2], [3, 5, 2, 6, 4]):
        assert reserve((1, 100 * MIB), 1, *parts, *order, (9, 100 * MIB)) == 100 * MIB


def test_a_large_block_is_not_cut_for_a_remainder_of_a_megabyte():
    # After 19 of 20 MiB the rest of 1 MiB stays inside the second block: the next needs a new segment.
    assert reserve((1, 9 * MIB), (2, 10 * MIB - 512), (3, 2 * MIB)) == 40 * MIB


def test_nothing_is_placed_for_nothing():
    assert reserve((1, 0), 1) == 0


@pytest.mark.parametrize("seed", range(5))
def test_random_sequences_never_reserve_less_than_is_live(seed):
    rng, allocator, live = random.Random(seed), CachingAllocator(), {}
    for number in range(1, 600):
        if live and rng.random() < 0.45:
            gone = rng.choice(list(live))
            del live[gone]
            allocator.release(gone)
        size = rng.choice([rng.randint(1, MIB), rng.randint(MIB, 40 * MIB)])
        allocator.allocate(number, size)
        live[number] = rounded(size)
        assert allocator.reserved >= sum(live.values())
    for number in live:
        allocator.release(number)
    blocks = [entry for pool in allocator._free.values() for entry in pool]
    assert sum(entry[0] for entry in blocks) == allocator.reserved
