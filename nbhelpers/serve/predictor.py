"""What the server asks of a model, and nothing more; `nbhelpers.video.VideoPredictor` gives it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np

    from nbhelpers.data.operations import Answer


class Shown(NamedTuple):
    """What the model is shown of a video.

    Attributes:
        frames: (N, H, W, 3) uint8 RGB, upright.
        times_s: seconds of each frame from the clip's start.
        duration_s: length of the clip in seconds.
    """

    frames: "np.ndarray"
    times_s: tuple[float, ...]
    duration_s: float


class Said(Protocol):
    """What the model said of one clip; times of `answer` in seconds from the clip's start."""

    @property
    def text(self) -> str:
        """The text as it was written."""

    @property
    def answer(self) -> "Answer | None":
        """The text as an answer, None where it is none."""

    @property
    def clipped(self) -> bool:
        """Whether a time lay outside the clip and was moved to its end."""


class Predictor(Protocol):
    """A loaded model that answers questions about clips. Called from one thread at a time."""

    @property
    def operations(self) -> Sequence[str]:
        """Names it was taught; empty where unknown."""

    def describe(self) -> Any:
        """Model, rungs and adapter, as something `artifacts.plain` turns into JSON."""

    def predict(self, clips: Sequence[Any], constrained: bool = False) -> Sequence[Said]:
        """One answer per clip, in order."""

    def swap(self, adapter: Path | None) -> None:
        """Take the adapter off the model that is loaded, and put another one on, or none."""
