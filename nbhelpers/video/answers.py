"""What a model said about a clip: read strictly, times outside the clip cut to it and counted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nbhelpers.data.operations import Answer, parse_answer
from nbhelpers.errors import BadInput

_TENTH_S = 0.05  # an answer is written to a tenth of a second: half of that beyond the end is rounding


@dataclass(frozen=True)
class VideoAnswer:
    """One answer.

    Attributes:
        name: of the clip.
        text: what the model wrote.
        answer: what it says, times within the clip; None where the text is no answer.
        clipped: a time lay outside the clip and was moved to its end.
        fault: why the text is no answer; empty where it is one.
        seconds: computing it, its share of a batch.
    """

    name: str
    text: str
    answer: Answer | None
    clipped: bool
    fault: str
    seconds: float


def read_answer(name: str, text: str, duration_s: float, seconds: float = 0.0) -> VideoAnswer:
    """Read a model's text strictly.

    Args:
        name: of the clip.
        text: to be read; nothing may stand around the JSON object.
        duration_s: length of the clip: times beyond it are cut to it.
        seconds: see `VideoAnswer`.
    """
    try:
        said = parse_answer(text)
    except BadInput as fault:
        return VideoAnswer(name, text, None, False, str(fault), seconds)
    inside = replace(said, start_s=min(said.start_s, duration_s), end_s=min(said.end_s, duration_s))
    beyond = max(said.start_s, said.end_s) > duration_s + _TENTH_S
    return VideoAnswer(name, text, inside, beyond, "", seconds)


def parse_rate(answers: Sequence[VideoAnswer]) -> float:
    """Share of texts that are answers, 0 to 1.

    Raises:
        BadInput: there are none.
    """
    if not answers:
        raise BadInput("parse rate: there are no answers")
    return sum(one.answer is not None for one in answers) / len(answers)


def clipped(answers: Sequence[VideoAnswer]) -> int:
    """How many answers named a time outside their clip."""
    return sum(one.clipped for one in answers)


def as_seen(answer: Answer, times_s: Sequence[float], duration_s: float) -> Answer:
    """The answer as far as the frames tell it: a change lies midway between the frames on its two sides.

    Nobody can see where between two frames it was. Taught true tenths, greedy decoding chooses the likeliest
    digits one by one; taught these, it says the middle of what is possible. Scores take the truth.

    Args:
        answer: the truth.
        times_s: of the frames, rising.
        duration_s: length of the clip.
    """
    before = [time for time in times_s if time < answer.start_s]
    inside = [time for time in times_s if answer.start_s <= time < answer.end_s]
    after = [time for time in times_s if time >= answer.end_s]
    if not inside:  # too short for any frame to show it
        return answer
    start = (before[-1] + inside[0]) / 2 if before else 0.0
    end = (inside[-1] + after[0]) / 2 if after else duration_s
    return replace(answer, start_s=start, end_s=end)
