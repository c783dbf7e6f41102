"""What the twin can do: its answers to held-out clips of both worlds, beside floors and leak tests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nbhelpers.artifacts import Check, Metric
from nbhelpers.data.operations import (
    Answer,
    OperationClip,
    answer_of,
    draw_clip,
    find_operation_world,
    parse_answer,
)
from nbhelpers.errors import BadInput
from nbhelpers.metrics import proportion
from nbhelpers.metrics.temporal import Floors, grey_frames, judge, one_frame, procedure_share
from nbhelpers.runtime import progress
from nbhelpers.twins.qwen2_5_vl.floors import blind
from nbhelpers.twins.qwen2_5_vl.model import SIDE
from nbhelpers.twins.qwen2_5_vl.text import model_inputs
from nbhelpers.twins.recipe import Evaluation

BATCH = 25
NEW_TOKENS = 56  # the longest answer of any world has 43
_COLUMNS = {"operation": "oca", "tiou_0.5": "tiou_05", "next": "aa1", "json": "parse_rate"}
BARS = {"operation": 0.90, "tiou_0.5": 0.75, "next": 0.75, "json": 0.99}

Show = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Reply:
    """What was said about a clip; `answer` is None where the text is no answer."""

    clip: OperationClip
    text: str
    answer: Answer | None


def load_twin(folder: Path) -> tuple[Any, Any]:
    """Model in eval mode and processor from a folder, through the auto classes, without the network."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True)
    return model.eval(), AutoProcessor.from_pretrained(folder, local_files_only=True)


def answer_clips(
    model: Any, processor: Any, clips: Sequence[OperationClip], show: Show | None = None
) -> list[Reply]:
    """Greedy answers through the stock processor.

    Args:
        model: the twin.
        processor: its processor.
        clips: asked about.
        show: changes the frames (8, 84, 84, 3) before they are shown.
    """
    import torch

    replies = []
    for first in progress(range(0, len(clips), BATCH), label="answering", unit="batch"):
        part = clips[first : first + BATCH]
        frames = [clip.pixels(SIDE) if show is None else show(clip.pixels(SIDE)) for clip in part]
        inputs = model_inputs(processor, part, frames)
        with torch.inference_mode():
            tokens = model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)
        texts = processor.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        replies += [Reply(clip, text, _parsed(text)) for clip, text in zip(part, texts, strict=True)]
    return replies


def _parsed(text: str) -> Answer | None:
    try:
        return parse_answer(text)
    except BadInput:
        return None  # counted: the share that parses is a score of its own


def score(replies: Sequence[Reply]) -> dict[str, np.ndarray]:
    """Right or wrong per clip, bool (N,): operation, tiou_0.5, next, json; no answer is wrong in all."""
    columns = judge([answer_of(reply.clip) for reply in replies], [reply.answer for reply in replies])
    return {name: columns[column].astype(bool) for name, column in _COLUMNS.items()}


def measure(
    model: Any, processor: Any, seed: int, count: int, world: str = "base", show: Show | None = None
) -> list[Reply]:
    """Replies to the first `count` held-out clips of a world."""
    return answer_clips(model, processor, [draw_clip(seed, index, world) for index in range(count)], show)


def evaluate_twin(
    model: Any, processor: Any, floors: Floors, seed: int, base: int = 300, others: int = 150
) -> Evaluation:
    """All scores of the twin.

    Args:
        model: the twin.
        processor: its processor.
        floors: learned from training clips.
        seed: of the held-out clips, none of the training's.
        base: clips of the base world.
        others: clips of the shifted world and of each leak test.
    """
    replies = measure(model, processor, seed, base)
    metrics = _named("", replies) | _by_sight(replies)
    shifted = measure(model, processor, seed, others, "shifted")
    metrics |= _named("shifted_", shifted)
    named_alike = [
        reply for reply in shifted if reply.clip.operation in find_operation_world("base").operations
    ]
    if named_alike:
        metrics["shifted_operation_known_names"] = proportion(score(named_alike)["operation"])
    metrics |= _named("grey_frames_", measure(model, processor, seed, others, show=grey_frames))
    metrics |= _named("one_frame_", measure(model, processor, seed, others, show=one_frame))
    metrics |= floor_scores(floors, replies)
    checks = tuple(_check(name, metrics[name].value, bar) for name, bar in BARS.items())
    return Evaluation(metrics, checks)


def _named(prefix: str, replies: Sequence[Reply]) -> dict[str, Metric]:
    return {prefix + name: proportion(right) for name, right in score(replies).items()}


def _by_sight(replies: Sequence[Reply]) -> dict[str, Metric]:
    """The next operation where a frame shows it, and where it can only be expected."""
    right = score(replies)["next"]
    seen = np.array([reply.clip.next_visible for reply in replies])
    parts = {"next_visible": right[seen], "next_expected": right[~seen]}
    return {name: proportion(part) for name, part in parts.items() if len(part)}


def floor_scores(floors: Floors, replies: Sequence[Reply]) -> dict[str, Metric]:
    """Scores of the guesses on the same clips; followers also of the true and of the predicted operation."""
    unseen = score([Reply(reply.clip, "", blind(floors, reply.clip)) for reply in replies])
    true = [reply.clip.next_operation.name for reply in replies]
    of_said = [floors.follower(reply.answer.operation) if reply.answer else "" for reply in replies]
    return {
        "floor_majority_operation": proportion(unseen["operation"]),
        "floor_constant_tiou_0.5": proportion(unseen["tiou_0.5"]),
        "floor_majority_next": proportion(unseen["next"]),
        "floor_bigram_of_true_next": procedure_share(floors, [answer_of(reply.clip) for reply in replies]),
        "floor_bigram_of_predicted_next": proportion(np.array(of_said) == np.array(true)),
    }


def _check(name: str, value: Any, bar: float) -> Check:
    return Check(name, value, f">= {bar:.2f}", value is not None and value >= bar)
