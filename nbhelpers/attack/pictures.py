"""What an attack asks of its pictures and questions; `nbhelpers.data.pictures` has sets that answer it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


class Prompt(Protocol):
    """A question as it is put, and the task it belongs to; wordings of one task share the right answer."""

    @property
    def text(self) -> str:
        """The question."""

    @property
    def task(self) -> str:
        """Such as `larger`."""


class Picture(Protocol):
    """A picture a patch may be laid over."""

    @property
    def name(self) -> str:
        """Unique within its set."""

    @property
    def answers(self) -> Mapping[str, str]:
        """The right answer by task; tasks whose answer nobody knows are missing."""

    def pixels(self, side: int) -> Pixels:
        """The picture as a square (side, side, 3) uint8 RGB."""

    def legal(self, side: int) -> Mask | None:
        """Where a patch may lie, (side, side) bool; None: anywhere."""


class Part(Protocol):
    """Pictures and questions of one part: what is learned from, chosen on, or scored on."""

    @property
    def pictures(self) -> Sequence[Picture]:
        """At least one."""

    @property
    def prompts(self) -> Sequence[Prompt]:
        """At least one."""
