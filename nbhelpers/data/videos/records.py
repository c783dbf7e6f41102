"""What is known of videos: which operation lasts from when to when, and where a video came from."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

NULL = "Null"  # OpenPack's class 8100: something that is none of the operations


@dataclass(frozen=True)
class LabelledSegment:
    """One operation from `start_s` up to, not including, `end_s`, seconds from the video's first frame."""

    operation: str
    start_s: float
    end_s: float
    operation_id: int | None = None

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class LabelledVideo:
    """A video with its operations, in the order of time; there may be gaps between them, never overlaps.

    Attributes:
        file_name: as in the annotations, relative to their folder; a session's name where there is no
            video.
        path: the file; None where there are only labels.
        fps: frames per second, 0 where there is no video.
        num_frames: frames, 0 where there is no video.
        duration_s: length.
        source: subject and session ("U0209/S0500"), which a split never cuts through; cameras share it.
        segments: the operations.
    """

    file_name: str
    path: Path | None
    fps: float
    num_frames: int
    duration_s: float
    source: str
    segments: tuple[LabelledSegment, ...]

    @property
    def subject(self) -> str:
        """Who works: the part of `source` before the first slash."""
        return self.source.partition("/")[0]


@dataclass(frozen=True)
class VideoSet:
    """Videos and the operations they may show.

    Attributes:
        path: the file they were read from.
        operations: names, in the order of the procedure; without the Null class.
        videos: in the order of the file.
        warnings: what was mended while reading, a sentence each.
        account: what became of every record that was read, by kind.
    """

    path: Path
    operations: tuple[str, ...]
    videos: tuple[LabelledVideo, ...]
    warnings: tuple[str, ...] = ()
    account: Mapping[str, float] = field(default_factory=dict)

    @property
    def sources(self) -> tuple[str, ...]:
        """Every source once, in the order of the videos."""
        return tuple(dict.fromkeys(video.source for video in self.videos))

    @property
    def segments(self) -> tuple[LabelledSegment, ...]:
        """The operations of all videos, one after the other."""
        return tuple(segment for video in self.videos for segment in video.segments)

    def transitions(self) -> dict[tuple[str, str], int]:
        """How often one operation followed another.

        Null and unlabelled stretches between them are passed over. Sessions filmed by several cameras count
        once per camera.
        """
        pairs: Counter[tuple[str, str]] = Counter()
        for video in self.videos:
            names = [one.operation for one in working(video.segments)]
            pairs.update(pairwise(names))
        return dict(pairs)


def working(segments: Iterable[LabelledSegment]) -> list[LabelledSegment]:
    """The segments that are operations, without those of the Null class."""
    return [one for one in segments if one.operation != NULL]
