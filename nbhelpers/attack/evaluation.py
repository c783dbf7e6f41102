"""Scores of a patch from the PNG on disk: held-out pictures and questions, stock processor, `generate`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from nbhelpers.artifacts import Metric
from nbhelpers.attack.controls import control_stickers
from nbhelpers.attack.laying import Lay, Question, laid, to_floats
from nbhelpers.attack.patch import read_png, start_pixels
from nbhelpers.attack.pictures import Pixels
from nbhelpers.attack.success import Net, distance, net_of, says
from nbhelpers.attack.victim import Victim
from nbhelpers.metrics import proportion

PATCH = "patch"


@dataclass(frozen=True)
class Goal:
    """What counts as success: `target` is said, or where there is none, the right answer is not.

    Attributes:
        target: the chosen answer; None for an untargeted attack.
        match: see `success.says`.
    """

    target: str | None = None
    match: str = "exact"

    def counts(self, question: Question) -> bool:
        """Whether a question can tell success from failure: its right answer is not the target itself."""
        if self.target is None or question.right is None:
            return True
        return not says(question.right, self.target, self.match)

    def reached(self, text: str, reference: str) -> bool:
        """Whether an answer is a success; `reference` is the right answer, or the clean one."""
        if self.target is not None:
            return says(text, self.target, self.match)
        return not says(text, reference, self.match)


@dataclass(frozen=True)
class Scores:
    """What came out of one evaluation.

    Attributes:
        success: by name of patch or control, the share with its Wilson interval.
        net: the patch's success beyond the best control's.
        to_target: mean distance of the answers to the target, 0..1; None where there is no target.
        from_clean: mean distance of the answers to those without a sticker, 0..1.
        answers: by name, in the order of `questions`.
        reached: by name, which answers are successes.
        questions: those that counted.
        shown: by name, the pictures that were shown.
    """

    success: Mapping[str, Metric]
    net: Net
    to_target: Mapping[str, float | None]
    from_clean: Mapping[str, float]
    answers: Mapping[str, list[str]]
    reached: Mapping[str, list[bool]]
    questions: Sequence[Question] = field(repr=False, default=())
    shown: Mapping[str, list[Any]] = field(repr=False, default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """One row per patch and control, for a table."""
        return [
            {
                "sticker": name, "success": metric.value, "low": metric.low, "high": metric.high,
                "distance to target": self.to_target[name], "distance from clean": self.from_clean[name],
                "n": metric.n,
            }
            for name, metric in self.success.items()
        ]  # fmt: skip


def evaluate(
    victim: Victim,
    png: Path,
    questions: Sequence[Question],
    goal: Goal,
    lay: Lay,
    *,
    start: str = "noise",
    rivals: Mapping[str, Pixels] = MappingProxyType({}),
    keep: bool = False,
) -> Scores:
    """Lay the patch of a file, and each control, over the same places of the same pictures, and ask.

    Args:
        victim: is asked through its stock processor.
        png: the patch as it was written.
        questions: held out from the optimisation; those whose right answer is the target are left out.
        goal: what counts.
        lay: where and how large; the same for all.
        start: what the optimisation began with; a picture might do the work by itself, so it is one control
            more.
        rivals: pictures (H, H, 3) uint8 to be laid in the patch's place, such as one of the target itself;
            they stand in the table, and are no controls: they carry the answer openly.
        keep: keep the pictures that were shown.

    Raises:
        BadInput: the file is no patch.
    """
    pixels, mask = read_png(png)
    began = start_pixels(start, mask.shape[-1], 0) if Path(start).is_file() else None
    stickers = {PATCH: pixels, **control_stickers(pixels, mask, goal.target or "word", lay.seed, began)}
    stickers |= {name: to_floats([rival])[0] for name, rival in rivals.items()}
    asked = [question for question in questions if goal.counts(question)]
    texts = [question.prompt.text for question in asked]
    answers, shown = {}, {}
    for name, sticker in stickers.items():
        pictures = laid(asked, sticker, mask, lay)
        answers[name] = victim.answers(pictures, texts, label=f"asking, {name}")
        shown[name] = pictures if keep else []
    return _scores(answers, shown, asked, goal, tuple(rivals))


def _scores(
    answers: dict[str, list[str]],
    shown: dict[str, list[Any]],
    asked: Sequence[Question],
    goal: Goal,
    rivals: tuple[str, ...],
) -> Scores:
    references = [
        clean if question.right is None else question.right
        for question, clean in zip(asked, answers["clean"], strict=True)
    ]
    reached = {
        name: [goal.reached(text, right) for text, right in zip(texts, references, strict=True)]
        for name, texts in answers.items()
    }
    return Scores(
        {name: proportion(values, "answers") for name, values in reached.items()},
        net_of({name: values for name, values in reached.items() if name not in rivals}, PATCH),
        {name: _mean_distance(texts, goal.target) for name, texts in answers.items()},
        {
            name: float(np.mean(list(map(distance, texts, answers["clean"]))))
            for name, texts in answers.items()
        },
        answers,
        reached,
        asked,
        shown,
    )


def _mean_distance(texts: Sequence[str], target: str | None) -> float | None:
    return None if target is None else float(np.mean([distance(text, target) for text in texts]))


def success_of(
    victim: Victim, png: Path, questions: Sequence[Question], goal: Goal, lay: Lay, label: str = ""
) -> tuple[Metric, list[str]]:
    """The patch's success alone, without controls, and what was said: for validation and sweeps.

    Where the right answer is unknown and nothing is aimed at, the clean answer is asked for first.
    """
    pixels, mask = read_png(png)
    asked = [question for question in questions if goal.counts(question)]
    texts = [question.prompt.text for question in asked]
    said = victim.answers(laid(asked, pixels, mask, lay), texts, label=label)
    references = [question.right or "" for question in asked]
    if goal.target is None and any(question.right is None for question in asked):
        clean = victim.answers(laid(asked, None, mask, lay), texts, label="asking, clean")
        references = [question.right or text for question, text in zip(asked, clean, strict=True)]
    pairs = zip(said, references, strict=True)
    return proportion([goal.reached(text, right) for text, right in pairs], "answers"), said
