"""What is asked about a clip and how the answer reads: JSON of four keys, read strictly."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from nbhelpers.data.operations.clips import OperationClip
from nbhelpers.errors import BadInput

_KEYS = ("operation", "start_s", "end_s", "next_operation")


@dataclass(frozen=True)
class Answer:
    """An operation, its start and end in seconds from the clip's start, and the operation after it."""

    operation: str
    start_s: float
    end_s: float
    next_operation: str


def ask(times_s: Sequence[float], duration_s: float) -> str:
    """The question, which tells the times of the frames in seconds from the clip's start, to a tenth.

    Raises:
        BadInput: a time that a tenth of a second cannot tell; the model would be told a wrong one.
    """
    for time in (*times_s, duration_s):
        if abs(time * 10 - round(time * 10)) > 1e-6:
            raise BadInput(
                f"frame time {time} s: the question tells tenths of a second; sample on such a grid"
            )
    told = " ".join(f"{time:.1f}" for time in times_s)
    return (
        f"Frames at {told} s of {duration_s:.1f} s. Which operation is under way in the middle, "
        "from when to when, and what comes next? JSON."
    )


def told_times(question: str) -> tuple[float, ...]:
    """The frame times a question tells, in seconds.

    Raises:
        BadInput: the text is no question of ours.
    """
    head, found, _ = question.partition(" s of ")
    if not found or not head.startswith("Frames at "):
        raise BadInput(f"question {question[:40]!r}: does not begin with the times of the frames")
    return tuple(float(word) for word in head.removeprefix("Frames at ").split())


def answer_of(clip: OperationClip) -> Answer:
    """The true answer about a clip."""
    return Answer(clip.operation.name, clip.start_s, clip.end_s, clip.next_operation.name)


def write_answer(answer: Answer) -> str:
    """The answer as JSON, times to a tenth of a second."""
    return (
        f'{{"operation": {json.dumps(answer.operation)}, "start_s": {answer.start_s:.1f}, '
        f'"end_s": {answer.end_s:.1f}, "next_operation": {json.dumps(answer.next_operation)}}}'
    )


def parse_answer(text: str) -> Answer:
    """Read an answer: one JSON object of exactly the four keys, two names and two times, nothing around.

    Raises:
        BadInput: says what is wrong with the text.
    """
    try:
        value = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"answer {text[:60]!r}: is not JSON ({error})") from None
    if not isinstance(value, dict) or set(value) != set(_KEYS):
        raise BadInput(f"answer {text[:60]!r}: must be an object with the keys {', '.join(_KEYS)}")
    for key in ("operation", "next_operation"):
        if not isinstance(value[key], str):
            raise BadInput(f"answer: {key} is {value[key]!r}; must be a name")
    for key in ("start_s", "end_s"):
        if isinstance(value[key], bool) or not isinstance(value[key], int | float):
            raise BadInput(f"answer: {key} is {value[key]!r}; must be a number of seconds")
    start, end = float(value["start_s"]), float(value["end_s"])
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start <= end):
        raise BadInput(f"answer: from {start} to {end} s; the start must lie between 0 and the end")
    return Answer(value["operation"], start, end, value["next_operation"])


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A dictionary of the pairs.

    Raises:
        ValueError: a key occurs twice, of which `json` would silently keep the last.
    """
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key occurs twice")
    return made
