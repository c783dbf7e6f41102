"""Predictions, floors and leak tests of one clip set side by side, with the checks that follow from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbhelpers.artifacts import Check, Metric
from nbhelpers.errors import BadInput
from nbhelpers.metrics.predictions.guard import Guarded, LabelledClip, Read, score_predictions
from nbhelpers.metrics.predictions.record import Predictions
from nbhelpers.metrics.temporal.answers import Answered
from nbhelpers.metrics.temporal.guesses import OWN_SCORES, floors, learn_floors, procedure_share
from nbhelpers.metrics.temporal.leaks import leak_checks
from nbhelpers.metrics.temporal.paired import above_floors
from nbhelpers.metrics.temporal.scores import SCORES, TemporalScores

_ALL = tuple(name for name in SCORES if name != "parse_rate")
_GUESSED = {name: _ALL if name == "majority" else own for name, own in OWN_SCORES.items()}
LEAKS = {"text_only": "grey_frames", "single_frame": "one_frame"}


@dataclass(frozen=True)
class Evaluation:
    """How good predictions are, and beside what.

    Attributes:
        scores: of the predictions.
        guarded: the answers, and what the guard noticed.
        floors: `majority`, `bigram` and `copy_last` on the same clips.
        leaks: `text_only` and `single_frame`, those that were given.
        procedure: how often the true operation alone tells the next one; no floor.
        checks: above every floor, and what the leak tests say.
    """

    scores: TemporalScores
    guarded: Guarded
    floors: dict[str, TemporalScores]
    leaks: dict[str, TemporalScores]
    procedure: Metric
    checks: tuple[Check, ...]

    def metrics(self) -> dict[str, Metric]:
        """All scores for `results.json`; floors and leak tests under their names."""
        found = self.scores.metrics()
        for name, own in self.floor_metrics().items():
            found |= {f"floor_{name}_{score}": metric for score, metric in own.items()}
        for name, one in self.leaks.items():
            found |= one.metrics(f"{name}_")
        return found | {"procedure_of_true_operation": self.procedure}

    def floor_metrics(self) -> dict[str, dict[str, Metric]]:
        """What each floor guesses itself: AA@1, and the majority everything; the rest is borrowed."""
        return {
            name: {score: metric for score, metric in one.metrics().items() if score in _GUESSED[name]}
            for name, one in self.floors.items()
        }

    def as_dict(self) -> dict[str, Any]:
        """All of it for JSON, but for the answers themselves."""
        guard = {
            "clips_with_unseen_changes": self.guarded.timed,
            "of_those_exact_to_a_tenth": self.guarded.exact,
            "clipped": self.guarded.clipped,
            "training_sources_known": self.guarded.training_known,
        }
        return {
            "scores": self.scores.as_dict(),
            "floors": self.floor_metrics(),
            "leaks": {name: one.as_dict() for name, one in self.leaks.items()},
            "procedure": self.procedure,
            "guard": guard,
            "checks": self.checks,
        }


def evaluate_predictions(
    predictions: Predictions,
    clips: Sequence[LabelledClip],
    train: Sequence[LabelledClip],
    read: Read,
    *,
    leaks: Mapping[str, Predictions] | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Evaluation:
    """Check and score predictions beside the floors, which are learned from the train part alone.

    Args:
        predictions: of the model, on `clips`.
        clips: the part that is scored.
        train: other clips, of other sources.
        read: how a text becomes an answer.
        leaks: predictions of models that saw less: `text_only` made with the view `grey_frames`,
            `single_frame` made with `one_frame`.
        draws: bootstrap samples.
        level: probability mass of the intervals, 0..1.
        seed: of the draws.

    Raises:
        BadInput: the guard refuses the predictions, a source is in both parts, or a leak test was made with
            another view.
    """
    _check_apart(clips, train)
    how: dict[str, Any] = {"draws": draws, "level": level, "seed": seed}
    if predictions.provenance.view != "as_is":
        raise BadInput(
            f"predictions: made with the view {predictions.provenance.view}; score them as a leak test"
        )
    scores, guarded = score_predictions(predictions, clips, read, **how)
    named = [None if one is None else one.operation for one in guarded.answers]
    blind = {name: _leak(name, made, clips, read, how) for name, made in (leaks or {}).items()}
    lengths = [one.duration_s for one in train]
    how |= {"train_durations_s": lengths, "test_durations_s": [one.duration_s for one in clips]}
    beside = floors(train, clips, named, sources=[clip.source for clip in clips], **how)
    return Evaluation(
        scores=scores,
        guarded=guarded,
        floors=beside,
        leaks=blind,
        procedure=procedure_share(learn_floors(train, lengths), clips),
        checks=(*above_floors(scores, beside), *leak_checks(scores, beside["majority"], **blind)),
    )


def _check_apart(clips: Sequence[LabelledClip], train: Sequence[LabelledClip]) -> None:
    both = sorted({clip.source for clip in clips} & {clip.source for clip in train})
    if both:
        raise BadInput(
            f"floors: source {both[0]} is in the train part and in the scored one ({len(both)} such); "
            "split the clips by source"
        )


def _leak(
    name: str, made: Predictions, clips: Sequence[LabelledClip], read: Read, how: Mapping[str, Any]
) -> TemporalScores:
    if name not in LEAKS:
        raise BadInput(f"leak test {name!r} is not known; known: {', '.join(LEAKS)}")
    if made.provenance.view != LEAKS[name]:
        raise BadInput(f"{name}: made with the view {made.provenance.view}; predict with {LEAKS[name]}")
    return score_predictions(made, clips, read, name=name, **how)[0]


def timeline_rows(
    clips: Sequence[LabelledClip], answers: Sequence[Answered | None], limit: int = 12
) -> dict[str, dict[str, list[tuple[str, float, float]]]]:
    """True and predicted segments of at most `limit` clips, evenly chosen, for `plots.timelines`.

    Args:
        clips: (n,) with their labels.
        answers: (n,) what was said; None leaves the lane empty.
        limit: clips shown.
    """
    pairs = list(zip(clips, answers, strict=True))
    shown = pairs[:: max(1, -(-len(pairs) // limit))]
    return {clip.clip_id: {"true": _spans(clip), "predicted": _spans(said)} for clip, said in shown}


def _spans(answer: Answered | None) -> list[tuple[str, float, float]]:
    return [] if answer is None else [(answer.operation, answer.start_s, answer.end_s)]
