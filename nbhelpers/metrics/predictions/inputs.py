"""What a model is given about a clip, and nothing else: the question, the frames and their times."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from nbhelpers.artifacts import sha256_value, to_json
from nbhelpers.errors import BadInput
from nbhelpers.metrics.temporal.leaks import find_view


class AskedClip(Protocol):
    """The side of a clip that may be seen; times in seconds from the clip's start."""

    @property
    def clip_id(self) -> str:
        """Names it within its set."""

    @property
    def question(self) -> str:
        """What is asked."""

    @property
    def times_s(self) -> tuple[float, ...]:
        """True times of the frames."""

    @property
    def duration_s(self) -> float:
        """Length of the clip."""

    def frames(self) -> np.ndarray:
        """(N, H, W, 3) uint8 RGB."""


@dataclass(frozen=True, eq=False)
class ModelInput:
    """One clip as a model gets it. It holds no reference to the clip, so no label can be reached from it.

    Attributes:
        clip_id: names the clip.
        question: the text that is asked.
        times_s: of the frames, seconds from the clip's start.
        duration_s: length of the clip.
        pixels: (N, H, W, 3) uint8 RGB.
    """

    clip_id: str
    question: str
    times_s: tuple[float, ...]
    duration_s: float
    pixels: np.ndarray = field(repr=False)

    @property
    def answer(self) -> str:
        """No text: clips have their true answer here, which is not given."""
        return ""

    def frames(self) -> np.ndarray:
        """The frames, (N, H, W, 3) uint8 RGB."""
        return self.pixels

    @property
    def sha256(self) -> str:
        """64 hex digits of all that is given, but for the clip's name."""
        told = {"question": self.question, "times_s": self.times_s, "duration_s": self.duration_s}
        head = to_json(told | {"shape": self.pixels.shape}, indent=None)
        digest = hashlib.sha256(head.encode())
        digest.update(np.ascontiguousarray(self.pixels).data)
        return digest.hexdigest()


def model_input(clip: AskedClip, view: str = "as_is") -> ModelInput:
    """Read the frames of a clip and take what a model may see of it.

    Args:
        clip: to be asked about.
        view: `as_is`, or what a leak test turns the frames into.

    Raises:
        BadInput: an unknown view, or frames that are not (N, H, W, 3) uint8.
    """
    pixels = np.asarray(find_view(view)(clip.frames()))
    if pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8:
        raise BadInput(
            f"clip {clip.clip_id}: frames of shape {pixels.shape}, {pixels.dtype}; give (N, H, W, 3) uint8"
        )
    times = tuple(float(time) for time in clip.times_s)
    return ModelInput(clip.clip_id, clip.question, times, float(clip.duration_s), pixels)


def inputs_sha256(hashes: Mapping[str, str]) -> str:
    """One hash of a whole set: of the hash of each clip's input by the clip's name, in any order."""
    return sha256_value(dict(hashes))
