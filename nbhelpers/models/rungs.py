"""The rungs of a fallback chain: what was tried, what was taken, and why not the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nbhelpers.errors import Unavailable
from nbhelpers.runtime.tables import text_table

Kind = Literal["loaded", "not_found", "gated", "no_network", "too_large", "out_of_memory", "unsupported"]


@dataclass(frozen=True)
class Rung:
    """One candidate of a chain.

    Attributes:
        name: as it was asked for.
        kind: `loaded`, or what refused it.
        taken: whether this is the model one got.
        reason: one sentence for people.
    """

    name: str
    kind: Kind
    taken: bool
    reason: str


class Refused(Exception):
    """A candidate cannot be taken; `load` turns it into a rung and goes on with the next."""

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(reason)
        self.kind: Kind = kind
        self.reason = reason


class NothingFits(Unavailable):
    """No candidate could be loaded; `rungs` says of each why not."""

    def __init__(self, rungs: Sequence[Rung]) -> None:
        self.rungs = list(rungs)
        each = "; ".join(f"{rung.name}: {rung.reason}" for rung in self.rungs)
        super().__init__(f"no model could be loaded ({each})")


def rungs_table(rungs: Sequence[Rung]) -> str:
    """The rungs in the order they were tried, as text."""
    rows = [(rung.name, "taken" if rung.taken else rung.kind, rung.reason) for rung in rungs]
    return text_table(rows, ("model", "outcome", "reason"))
