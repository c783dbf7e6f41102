"""What a model is shown of a video and asked: one form for drawn clips, clips of files and frames at hand."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.operations import Answer, OperationClip, answer_of, ask, parse_answer
from nbhelpers.errors import BadInput
from nbhelpers.video.timing import HALF_FRAME_S

Pixels = NDArray[np.uint8]


@runtime_checkable
class ClipLike(Protocol):
    """A clip of a video file, as `nbhelpers.data.clips` makes them; times are seconds from its start."""

    @property
    def clip_id(self) -> str:
        """Names it within its set."""
        ...

    @property
    def times_s(self) -> tuple[float, ...]:
        """True times of the frames."""
        ...

    @property
    def duration_s(self) -> float:
        """Length of the clip."""
        ...

    @property
    def question(self) -> str:
        """What is asked; tells the times of the frames."""
        ...

    @property
    def answer(self) -> str:
        """The true answer, JSON text."""
        ...

    def frames(self) -> Pixels:
        """(N, H, W, 3) uint8 RGB."""
        ...


# Frames (N, H, W, 3) uint8 RGB, their times and the length of the clip, both in seconds from its start.
Given = tuple[Pixels, Sequence[float], float]
Clips = Sequence["VideoSample | ClipLike | OperationClip | Given"]


@dataclass(frozen=True)
class VideoSample:
    """Frames with their true times, the question about them and, where it is known, the answer.

    Attributes:
        name: for messages and records; no two of a set are alike.
        times_s: true time of each frame, seconds from the clip's start.
        duration_s: length of the clip.
        question: the text that is asked; tells the times.
        answer: the truth, or None.
        read: gives the frames, (N, H, W, 3) uint8 RGB.
        half_frame_s: half the time from one frame of the video to the next: no told time may be further off.
    """

    name: str
    times_s: tuple[float, ...]
    duration_s: float
    question: str
    answer: Answer | None
    read: Callable[[], Pixels] = field(repr=False, compare=False)
    half_frame_s: float = HALF_FRAME_S

    def frames(self) -> Pixels:
        """The frames, (N, H, W, 3) uint8 RGB.

        Raises:
            BadInput: they are not of this form, or not as many as there are times.
        """
        frames = self.read()
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
            raise BadInput(
                f"clip {self.name}: frames of shape {frames.shape}, {frames.dtype}; need (N, H, W, 3) uint8"
            )
        if len(frames) != len(self.times_s):
            raise BadInput(f"clip {self.name}: {len(frames)} frames, but {len(self.times_s)} times")
        return frames


def sample_of(clip: "VideoSample | ClipLike | OperationClip | Given") -> VideoSample:
    """One clip in the form this room works with; nothing is decoded or drawn yet.

    Args:
        clip: a drawn clip, a clip of a file, or a triple of frames, times and length.

    Raises:
        BadInput: something else, or frame times that the question cannot tell.
    """
    if isinstance(clip, VideoSample):
        return clip
    if isinstance(clip, OperationClip):
        return _of_drawn(clip)
    if isinstance(clip, ClipLike):
        return VideoSample(
            clip.clip_id, clip.times_s, clip.duration_s, clip.question, _truth(clip), clip.frames
        )
    if isinstance(clip, tuple) and len(clip) == 3:
        return _of_frames(*clip)
    raise BadInput(f"{type(clip).__name__}: is no clip; give one, or a triple (frames, times_s, duration_s)")


def _truth(clip: ClipLike) -> Answer | None:
    """The true answer: unrounded where the clip has it so, else from its text; None where it has none."""
    truth = getattr(clip, "truth", None)
    if isinstance(truth, Answer):
        return truth
    return parse_answer(clip.answer) if clip.answer else None


def _of_drawn(clip: OperationClip) -> VideoSample:
    line = clip.timeline
    name = f"{line.world.name}-{line.seed}-{line.index}-{clip.offset_s:g}-{clip.spacing_s:g}"
    question = ask(clip.times_s, clip.duration_s)
    return VideoSample(
        name, clip.times_s, clip.duration_s, question, answer_of(clip), cast("Any", clip.pixels)
    )


def _of_frames(frames: Pixels, times_s: Sequence[float], duration_s: float) -> VideoSample:
    times = tuple(float(time) for time in times_s)
    sample = VideoSample("frames", times, float(duration_s), ask(times, duration_s), None, lambda: frames)
    sample.frames()  # a wrong shape is said at once, not when the model is reached
    return sample


def pixels_key(frames: Pixels, times_s: Sequence[float]) -> str:
    """32 hex digits of a clip's size, pixels and times."""
    digest = hashlib.blake2b(f"{frames.shape} {tuple(times_s)}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(frames).data)
    return digest.hexdigest()
