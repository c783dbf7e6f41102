"""A clip: some seconds of a video, the frames of it that are shown, a question and the true answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nbhelpers.data.operations import Answer


@dataclass(frozen=True)
class Clip:
    """A stretch of a video; all times but `offset_s` are seconds from the clip's start.

    Attributes:
        clip_id: unique in its set.
        file_name: of the video, as in the set's file.
        path: of the video.
        source: subject and session; no split cuts through it.
        part: train, val, test ...; None before a split.
        offset_s: where in the video the clip starts.
        duration_s: of the clip.
        times_s: true presentation times of its frames.
        operation: the one under way in the middle of the clip.
        start_s, end_s: of its part within the clip.
        next_operation: what follows it in the video.
        question: what a model is asked; tells the times of the frames to a tenth of a second.
        answer: the true answer as JSON text.
        next_visible: a frame of the clip shows what follows; otherwise it can only be expected.
    """

    clip_id: str
    file_name: str
    path: Path
    source: str
    part: str | None
    offset_s: float
    duration_s: float
    times_s: tuple[float, ...]
    operation: str
    start_s: float
    end_s: float
    next_operation: str
    question: str
    answer: str
    next_visible: bool = True

    def frames(self) -> np.ndarray:
        """Its frames, read from the video: (N, H, W, 3) uint8 RGB.

        Raises:
            BadInput: the video cannot be read, see `read_frames`.
        """
        from nbhelpers.data.videos import read_frames

        return read_frames(self.path, self.offset_s + np.array(self.times_s)).pixels

    @property
    def truth(self) -> Answer:
        """The true answer, unrounded."""
        return Answer(self.operation, self.start_s, self.end_s, self.next_operation)


@dataclass(frozen=True)
class ClipSet:
    """Clips and the operations they may show.

    Attributes:
        path: the file they are, or their videos were, read from.
        operations: names, in the order of the procedure.
        clips: in the order of the videos and of time.
        skipped: windows that became no clip, by reason.
    """

    path: Path
    operations: tuple[str, ...]
    clips: tuple[Clip, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.clips)

    def part(self, name: str) -> "ClipSet":
        """The clips of one part."""
        return ClipSet(self.path, self.operations, tuple(clip for clip in self.clips if clip.part == name))

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts, in the usual order."""
        names = {clip.part for clip in self.clips if clip.part is not None}
        return tuple(sorted(names, key=lambda name: ({"train": 0, "val": 1, "test": 2}.get(name, 3), name)))
