"""One call of `tune_video`: what it was given, and what it scores by."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.video.examples import Examples
from nbhelpers.video.validation import answer_examples, scores_of

if TYPE_CHECKING:
    from nbhelpers.models import Loaded
    from nbhelpers.settings import VideoSection

Say = Callable[[str], None]


@dataclass
class Job:
    """The inputs of one call.

    Attributes:
        loaded: the base model.
        settings: the `video` section.
        folder: of this training.
        say: takes the lines meant for people.
        mark: by which a later call knows this training.
        reason: why features are not kept; empty where they are.
        train, val: clips.
        sources: subjects, sessions or videos of the training clips.
        end_at: when time is up, seconds since 1970.
        operations: names a constrained answer may hold.
        prepare_s: what processing every clip once took.
    """

    loaded: "Loaded"
    settings: "VideoSection"
    folder: Path
    say: Say
    mark: str
    reason: str
    train: Examples
    val: Examples
    sources: tuple[str, ...]
    end_at: float
    operations: tuple[str, ...]
    prepare_s: float = 0.0

    def scores(self, model: Any) -> dict[str, float]:
        """Of the validation clips."""
        allowed = self.operations if self.settings.constrained else None
        return scores_of(self.val, answer_examples(model, self.loaded, self.val, allowed))

    @property
    def per_step(self) -> int:
        """Clips of one optimiser step."""
        return self.settings.batch * self.settings.accumulate
