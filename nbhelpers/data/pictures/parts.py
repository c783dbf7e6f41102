"""Which part something belongs to, decided by a hash of what it is: never by order or luck."""

import hashlib
from collections.abc import Mapping

_RANGE = 1 << 64


def part_of(identity: str, shares: Mapping[str, float], seed: int = 0) -> str:
    """The part of one thing.

    A picture stays in its part when others come or go, when it is renamed (its identity is a hash of its
    bytes) and on every machine.

    Args:
        identity: what tells it from all others.
        shares: part to share, summing to 1, as `parse_split` gives them.
        seed: another seed deals out anew.
    """
    digest = hashlib.sha256(f"{seed}/{identity}".encode()).digest()
    place, reached = int.from_bytes(digest[:8], "big") / _RANGE, 0.0
    for name, share in shares.items():
        reached += share
        if place < reached:
            return name
    return list(shares)[-1]
