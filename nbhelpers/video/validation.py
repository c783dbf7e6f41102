"""Scores of a model while it is tuned: greedy answers to the validation clips, from what is kept of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbhelpers.metrics.temporal import SCORES, score_answers
from nbhelpers.video.answers import VideoAnswer, read_answer
from nbhelpers.video.constrained import AnswerMask, answer_pattern
from nbhelpers.video.examples import Examples, collate
from nbhelpers.video.features import plain_model
from nbhelpers.video.predictor import NEW_TOKENS

if TYPE_CHECKING:
    from nbhelpers.models import Loaded
    from nbhelpers.video.samples import VideoSample

_BATCH = 16


def answer_examples(
    model: Any, loaded: "Loaded", examples: Examples, operations: Sequence[str] | None = None
) -> list[VideoAnswer]:
    """Greedy answers to the questions of examples.

    Args:
        model: to ask, wrapped by peft or not; where the examples hold features, inside `features_for_pixels`.
        loaded: its processor and device.
        examples: asked about.
        operations: names it may say; None does not constrain it.
    """
    answers: list[VideoAnswer] = []
    for first in range(0, len(examples), _BATCH):
        numbers = range(first, min(first + _BATCH, len(examples)))
        samples = [examples.samples[number] for number in numbers]
        batch = collate(
            [examples.example(number) for number in numbers],
            [examples.pictures(number) for number in numbers],
            loaded.processor.tokenizer.pad_token_id,
            answers=False,
        )
        answers += _generate(model, loaded, samples, batch, operations)
    return answers


def _generate(
    model: Any,
    loaded: "Loaded",
    samples: "Sequence[VideoSample]",
    batch: dict[str, Any],
    operations: Sequence[str] | None,
) -> list[VideoAnswer]:
    given = {name: value.to(loaded.device) for name, value in batch.items()}
    masks = None if operations is None else [_mask(loaded, samples, operations)]
    tokens = plain_model(model).generate(
        **given, max_new_tokens=NEW_TOKENS, do_sample=False, logits_processor=masks
    )
    fresh = tokens[:, given["input_ids"].shape[1] :]
    texts = loaded.processor.batch_decode(fresh, skip_special_tokens=True)
    return [read_answer(one.name, text, one.duration_s) for one, text in zip(samples, texts, strict=True)]


def _mask(loaded: "Loaded", samples: "Sequence[VideoSample]", operations: Sequence[str]) -> AnswerMask:
    width = loaded.config.get_text_config().vocab_size
    patterns = [answer_pattern(tuple(operations), sample.duration_s) for sample in samples]
    return AnswerMask(loaded.processor.tokenizer, width, patterns)


def scores_of(examples: Examples, answers: Sequence[VideoAnswer]) -> dict[str, float]:
    """Scores by name, without intervals: those are for the end."""
    truths = [sample.answer for sample in examples.samples if sample.answer is not None]
    found = score_answers(truths, [one.answer for one in answers], draws=2)
    return {name: float(getattr(found, name)) for name in SCORES} | {
        "clipped": float(sum(one.clipped for one in answers))
    }
