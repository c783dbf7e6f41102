"""From an uploaded file to what a model is shown: which stretch of the video, and which frames of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from nbhelpers.errors import BadInput
from nbhelpers.serve.containers import container_of
from nbhelpers.serve.form import UploadedFile
from nbhelpers.serve.limits import Limits
from nbhelpers.serve.predictor import Shown
from nbhelpers.serve.refusals import Refusal, one_sentence

if TYPE_CHECKING:
    from nbhelpers.data.videos import VideoFacts


class Wanted(BaseModel):
    """What a client may say about the clip, as fields of the form."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    at_s: float | None = Field(
        None, ge=0, description="asked is what goes on at this second; the video's middle by default"
    )
    # What every family can express: Qwen2.5-VL keeps whole seconds of a pair of frames.
    spacing_s: Literal["0.5", "1", "1.0", "2", "2.0"] | None = Field(
        None, description="seconds between frames; 1 by default, 0.5 where the video is too short for that"
    )
    constrained: bool = Field(False, description="let the model write nothing but a well-formed answer")


@dataclass(frozen=True)
class Cut:
    """A clip of a video: where it starts in it, its frames as shown, their true times in the video."""

    start_s: float
    shown: Shown
    times_s: tuple[float, ...]
    facts: "VideoFacts"
    warnings: tuple[str, ...]


def cut(file: UploadedFile, wanted: Wanted, limits: Limits) -> Cut:
    """Read the frames of the clip that is asked for.

    Args:
        file: as it was received.
        wanted: what the client said.
        limits: of duration, frame size and number of frames.

    Raises:
        Refusal: 415 where the file is in no video container, 422 where its video cannot be used.
    """
    from nbhelpers.data.videos import probe_video

    if file.size_bytes and container_of(file.path) is None:
        raise Refusal(415, f"{file.name} is in no video container; send MP4, MOV, MKV, WebM, AVI or MPEG-TS")
    try:
        facts = probe_video(file.path)
        _check(file, facts, limits)
        return _frames(file, facts, wanted, limits)
    except BadInput as error:  # it speaks of our path; the client knows the file by another name
        raise Refusal(422, one_sentence(str(error).replace(str(file.path), file.name))) from None


def _check(file: UploadedFile, facts: "VideoFacts", limits: Limits) -> None:
    if facts.duration_s > limits.video_s:
        long = f"{file.name} lasts {facts.duration_s:.1f} s"
        raise Refusal(422, f"{long}; a video may last {limits.video_s:g} s, so cut it")
    if facts.width * facts.height / 1e6 > limits.megapixels:
        size = f"{file.name} has frames of {facts.width}x{facts.height} pixels"
        raise Refusal(422, f"{size}; they may have {limits.megapixels:g} megapixels, so scale it")


def _frames(file: UploadedFile, facts: "VideoFacts", wanted: Wanted, limits: Limits) -> Cut:
    from nbhelpers.data.videos import read_frames

    start, spacing, count = _stretch(file, facts, wanted, limits)
    told = tuple(round(number * spacing, 3) for number in range(count))
    frames = read_frames(file.path, [start + time for time in told])
    true = tuple(round(float(time), 3) for time in frames.times_s)
    warnings = (*facts.warnings, *_gaps(told, true, start, facts.fps))
    return Cut(round(start, 3), Shown(frames.pixels, told, round(count * spacing, 3)), true, facts, warnings)


def _stretch(
    file: UploadedFile, facts: "VideoFacts", wanted: Wanted, limits: Limits
) -> tuple[float, float, int]:
    """Where the clip starts, seconds between its frames, and how many there are (even)."""
    long, duration = f"{file.name} lasts {facts.duration_s:.1f} s", facts.duration_s
    if wanted.at_s is not None and wanted.at_s > duration:
        raise Refusal(422, f"at_s {wanted.at_s:g} lies after the end of the video; {long}")
    spacing = 1.0 if duration >= limits.frames else 0.5
    spacing = spacing if wanted.spacing_s is None else float(wanted.spacing_s)
    count = min(limits.frames, int(duration / spacing + 1e-6) // 2 * 2)
    if count < 2:
        raise Refusal(422, f"{long}; two frames {spacing:g} s apart need {2 * spacing:g} s")
    middle = duration / 2 if wanted.at_s is None else wanted.at_s
    start = min(max(middle - count * spacing / 2, 0.0), max(duration - count * spacing, 0.0))
    return start, spacing, count


def _gaps(told: tuple[float, ...], true: tuple[float, ...], start: float, fps: float) -> tuple[str, ...]:
    """A warning where a frame lies further from the time the model is told than half a frame's length."""
    furthest = max(abs(start + time - shown) for time, shown in zip(told, true, strict=True))
    if furthest <= 0.5 / fps + 0.002:  # containers round times to a millisecond, and so do we
        return ()
    return (f"the video has gaps: a frame lies {furthest:.2f} s from the time the model was told",)
