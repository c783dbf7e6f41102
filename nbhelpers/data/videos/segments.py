"""Segments brought into the order of time, inside their video, without overlaps."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from nbhelpers.data.videos.records import LabelledSegment
from nbhelpers.errors import BadInput


@dataclass
class Reading:
    """The file being read, and what was mended in it so far."""

    path: Path
    warnings: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def mend(self, kind: str, message: str) -> None:
        """Note a fault that was mended."""
        self.counts[kind] += 1
        self.warnings.append(message)


def in_order(
    segments: Sequence[LabelledSegment], duration_s: float, frame_s: float, name: str, reading: Reading
) -> tuple[LabelledSegment, ...]:
    """The segments as they can be used.

    Mended, with a warning: order; a start before 0 or an end after the video's (cut there); a segment that
    lies wholly outside (left out); an overlap of one frame at most (cut in its middle).

    Args:
        segments: as read.
        duration_s: of the video.
        frame_s: how long one frame is shown, the tolerance for overlaps.
        name: of the video, for messages.
        reading: takes the warnings.

    Raises:
        BadInput: a segment that ends before it starts, or that overlaps the one before by more than a
            frame.
    """
    kept = [cut for one in segments if (cut := _inside(one, duration_s, frame_s, name, reading)) is not None]
    ordered = sorted(kept, key=lambda one: one.start_s)
    if ordered != kept:
        reading.mend("order of segments", f"{name}: segments are not in the order of time; sorted")
    return tuple(_apart(ordered, frame_s, name, reading))


def _inside(
    one: LabelledSegment, duration_s: float, frame_s: float, name: str, reading: Reading
) -> LabelledSegment | None:
    where = f"{name}: {one.operation} from {one.start_s:g} to {one.end_s:g} s"
    if not one.start_s < one.end_s:
        raise BadInput(
            f"{reading.path}: {where}: ends before it has lasted; exchange the two, or leave it out"
        )
    if one.end_s <= 0 or one.start_s >= duration_s:
        reading.mend("outside the video", f"{where}: lies outside the video of {duration_s:g} s; left out")
        return None
    if one.start_s >= 0 and one.end_s <= duration_s:
        return one
    start, end = max(one.start_s, 0.0), min(one.end_s, duration_s)
    if one.start_s - start < -frame_s or one.end_s - end > frame_s:
        reading.mend("cut at the video's ends", f"{where}: the video lasts {duration_s:g} s; cut there")
    return replace(one, start_s=start, end_s=end)


def _apart(
    ordered: list[LabelledSegment], frame_s: float, name: str, reading: Reading
) -> list[LabelledSegment]:
    for k, (first, second) in enumerate(pairwise(ordered)):
        over = ordered[k].end_s - second.start_s
        if over <= 1e-9:
            continue
        if over > frame_s + 1e-6:
            raise BadInput(
                f"{reading.path}: {name}: {first.operation} ends at {first.end_s:g} s and {second.operation} "
                f"starts at {second.start_s:g} s; only one can be under way, so cut one of them"
            )
        middle = second.start_s + over / 2
        ordered[k], ordered[k + 1] = replace(ordered[k], end_s=middle), replace(second, start_s=middle)
        reading.mend(
            "overlap", f"{name}: {first.operation} and {second.operation} overlap by {over:.3f} s; halved"
        )
    return ordered
