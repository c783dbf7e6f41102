"""What the endpoints answer."""

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from nbhelpers.data.operations import Answer
    from nbhelpers.serve.clip import Cut
    from nbhelpers.serve.predictor import Said


class Operation(BaseModel):
    """What is under way, from when to when, and what follows; seconds from the start of the video."""

    operation: str
    start_s: float
    end_s: float
    next_operation: str


class ClipShown(BaseModel):
    """The stretch of the video that the model saw."""

    start_s: float = Field(description="where it starts in the video, seconds")
    duration_s: float
    times_s: list[float] = Field(description="true time of each frame shown, seconds from the video's start")


class VideoSeen(BaseModel):
    """The video as it was found."""

    duration_s: float
    fps: float
    frames: int
    width: int = Field(description="pixels, upright")
    height: int


class Prediction(BaseModel):
    """What the model said of one video."""

    file_name: str
    answer: Operation | None = Field(description="none where the model's text is no answer")
    text: str = Field(description="the model's text; its times count from the start of the clip")
    clipped: bool = Field(description="a time lay outside the clip and was moved to its end")
    clip: ClipShown
    video: VideoSeen
    warnings: list[str]


class Refused(BaseModel):
    """A video of a batch that could not be used; the others are answered all the same."""

    file_name: str
    status: int
    reason: str


class Timing(BaseModel):
    """Where the time went, seconds."""

    upload_s: float
    wait_s: float = Field(description="for a turn")
    decode_s: float
    answer_s: float
    total_s: float


class Memory(BaseModel):
    """Memory of the server while the model answered, bytes."""

    process_bytes: int
    process_peak_bytes: int
    gpu_peak_bytes: int | None = Field(description="highest allocation on the GPU; none on a CPU")


class Account(BaseModel):
    """Who answered and what it took."""

    model: str
    adapter: str | None
    timing: Timing
    memory: Memory


class PredictAnswer(Prediction, Account):
    """The answer of `POST /predict`."""


class BatchAnswer(Account):
    """The answer of `POST /batch_predict`, one result per file in the order they were sent."""

    results: list[Prediction | Refused]


def prediction(file_name: str, cut: "Cut", said: "Said") -> Prediction:
    """Put together what is answered about one video; the times of the answer move to the video's clock."""
    found, facts = said.answer, cut.facts
    answer = None if found is None else _operation(found, cut.start_s)
    shown = ClipShown(start_s=cut.start_s, duration_s=cut.shown.duration_s, times_s=list(cut.times_s))
    seen = VideoSeen(
        duration_s=round(facts.duration_s, 3), fps=round(facts.fps, 3), frames=facts.num_frames,
        width=facts.width, height=facts.height,
    )  # fmt: skip
    return Prediction(
        file_name=file_name, answer=answer, text=said.text, clipped=said.clipped, clip=shown, video=seen,
        warnings=list(cut.warnings),
    )  # fmt: skip


def _operation(answer: "Answer", offset_s: float) -> Operation:
    return Operation(
        operation=answer.operation,
        start_s=round(offset_s + answer.start_s, 3),
        end_s=round(offset_s + answer.end_s, 3),
        next_operation=answer.next_operation,
    )
