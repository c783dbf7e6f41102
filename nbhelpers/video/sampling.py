"""One question about one video: which stretch of it, and frames at times that any family can be told."""

from pathlib import Path
from typing import TYPE_CHECKING

from nbhelpers.data.operations import ask
from nbhelpers.errors import BadInput
from nbhelpers.video.samples import Pixels, VideoSample

if TYPE_CHECKING:
    from nbhelpers.data.videos import VideoFacts

# Widest first. Every two frames are whole seconds apart: what Qwen2.5-VL can be told, and the twin has seen.
_SPACINGS_S = (1.0, 0.5)


def clip_of_video(path: Path | str, at_s: float | None = None, frames: int = 8) -> VideoSample:
    """A clip around one second of a video, evenly sampled; nothing is decoded yet.

    Args:
        path: of the video.
        at_s: second that stands in the clip's middle, as far as the video's ends let it; its middle for None.
        frames: of the clip, even; fewer where the video is short.

    Raises:
        BadInput: the video cannot be read, is too short, or ends before `at_s`.
    """
    from nbhelpers.data.videos import probe_video

    facts = probe_video(path)
    if at_s is not None and not 0 <= at_s <= facts.duration_s:
        raise BadInput(f"{path}: second {at_s:g} is asked about, but it lasts {facts.duration_s:g} s")
    spacing, count = _grid(facts, frames)
    length = round(count * spacing, 3)
    middle = facts.duration_s / 2 if at_s is None else at_s
    start = round(min(max(middle - length / 2, 0.0), max(facts.duration_s - length, 0.0)), 3)
    times = tuple(round(number * spacing, 3) for number in range(count))

    def read() -> Pixels:
        from nbhelpers.data.videos import read_frames

        return read_frames(path, [start + time for time in times]).pixels

    name = f"{Path(path).name} from {start:g} to {start + length:g} s"
    return VideoSample(name, times, length, ask(times, length), None, read, 0.5 / max(facts.fps, 1.0))


def _grid(facts: "VideoFacts", frames: int) -> tuple[float, int]:
    """Seconds between frames, and how many (even): as wide as the video has room for."""
    for spacing in _SPACINGS_S:
        if facts.duration_s >= frames * spacing - 1e-6:
            return spacing, frames
    count = int(facts.duration_s / _SPACINGS_S[-1] + 1e-6) // 2 * 2
    if count < 2:
        raise BadInput(f"{facts.path}: lasts {facts.duration_s:g} s; a clip needs a second at least")
    return _SPACINGS_S[-1], count
