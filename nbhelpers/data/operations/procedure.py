"""The operations of packing and the order they come in: a procedure that is mostly, not always, followed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nbhelpers.errors import BadInput

MAIN = (
    0.87  # how often the procedure is followed; one real OpenPack session follows its own in 93 of 96 steps
)


@dataclass(frozen=True)
class Operation:
    """One operation: `id` is OpenPack's number and says what is drawn, `name` what the world calls it."""

    id: int
    name: str


# Ids and names of OpenPack (Yoshimura et al. 2024, https://open-pack.github.io), in the order of one box.
OPERATIONS = (
    Operation(100, "Picking"),
    Operation(200, "Relocate Item Label"),
    Operation(300, "Assemble Box"),
    Operation(400, "Insert Items"),
    Operation(500, "Close Box"),
    Operation(600, "Attach Box Label"),
    Operation(700, "Scan Label"),
    Operation(1000, "Fill out Order"),
    Operation(800, "Attach Shipping Label"),
    Operation(900, "Put on Back Table"),
)
SMALL_IDS = (100, 300, 400, 500, 600, 700, 800, 900)  # the eight of the twin's base world


@dataclass(frozen=True)
class Pace:
    """How long operations last, in seconds: log-normal around `median_s`, cut to `low_s`..`high_s`."""

    name: str
    median_s: float
    sigma: float
    low_s: float
    high_s: float


# Full: the 193 operations of one OpenPack session (1.6 to 25.7 s, median 6.7). Twin: about a fifth of it,
# but none so short that frames half a second apart would hardly show it.
PACES = {
    "full": Pace("full", 6.7, 0.55, 1.6, 26.0),
    "twin": Pace("twin", 1.4, 0.55, 0.6, 6.0),
}


def find_pace(pace: "str | Pace") -> Pace:
    """Look a pace up by name; a `Pace` passes through.

    Raises:
        BadInput: no pace has this name.
    """
    if isinstance(pace, Pace):
        return pace
    if pace not in PACES:
        raise BadInput(f"pace {pace!r} is unknown; known paces: {', '.join(PACES)}")
    return PACES[pace]


def transitions(count: int, main: float = MAIN) -> np.ndarray:
    """Probabilities of the next operation in a cycle of `count`.

    Args:
        count: operations in the cycle, at least 3.
        main: probability of the next in order; half of the rest skips a step, the other half goes
            anywhere else but to the operation itself.

    Returns:
        (count, count) float64; row: current, column: next; rows sum to 1, the diagonal is 0.

    Raises:
        BadInput: fewer than 3 operations, or `main` outside 0..1.
    """
    if count < 3 or not 0 <= main <= 1:
        raise BadInput(f"transitions: {count} operations and main {main}; at least 3 and 0..1 are needed")
    table = np.zeros((count, count))
    for row in range(count):
        others = [column for column in range(count) if column not in (row, (row + 1) % count)]
        table[row, others] = 0.5 * (1 - main) / len(others)
        table[row, (row + 2) % count] += 0.5 * (1 - main)
        table[row, (row + 1) % count] = main
    return table


def draw_order(rng: np.random.Generator, count: int, steps: int, main: float = MAIN) -> list[int]:
    """Indices of `steps` operations, from a random place in the cycle on."""
    table = transitions(count, main).cumsum(axis=1)
    order = [int(rng.integers(count))]
    for draw in rng.random(steps - 1):
        order.append(min(int(np.searchsorted(table[order[-1]], draw, side="right")), count - 1))
    return order


def draw_durations(rng: np.random.Generator, pace: Pace, steps: int) -> np.ndarray:
    """Durations of `steps` operations in seconds, float64."""
    return np.clip(pace.median_s * np.exp(pace.sigma * rng.standard_normal(steps)), pace.low_s, pace.high_s)


def operations_by_id(ids: Sequence[int]) -> tuple[Operation, ...]:
    """OpenPack's operations of these ids, in the given order."""
    known = {operation.id: operation for operation in OPERATIONS}
    return tuple(known[number] for number in ids)
