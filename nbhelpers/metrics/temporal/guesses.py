"""Floors: what can be scored without looking, learned from the train part alone.

`majority` always names the commonest operation, the commonest next one and the segment that suits most
clips. `bigram` and `copy_last` take the operation the model said and only guess what follows it: its
commonest follower in the procedure, or the operation itself once more. So all three stand beside AA@1, and
the majority beside the other scores too (`OWN_SCORES`).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nbhelpers.artifacts import Metric
from nbhelpers.errors import BadInput
from nbhelpers.metrics.proportion import proportion
from nbhelpers.metrics.temporal.answers import Answered, Guess, Segment, segments_of
from nbhelpers.metrics.temporal.iou import reaches, tiou_matrix
from nbhelpers.metrics.temporal.scores import TemporalScores, score_answers

OWN_SCORES = {"majority": ("oca", "tiou_05", "aa1"), "bigram": ("aa1",), "copy_last": ("aa1",)}


@dataclass(frozen=True)
class Floors:
    """Guesses learned from training clips.

    Attributes:
        operation: the commonest.
        next_operation: the commonest next one.
        followers: the commonest next one of each.
        segment: the one that overlaps most clips by half, in shares of the clip.
    """

    operation: str
    next_operation: str
    followers: dict[str, str]
    segment: Segment

    def follower(self, operation: str) -> str:
        """What usually follows an operation; for one never seen, what follows the commonest."""
        return self.followers.get(operation, self.followers[self.operation])

    def seconds(self, duration_s: float) -> Segment:
        """The constant segment in a clip of this length."""
        return self.segment[0] * duration_s, self.segment[1] * duration_s


def learn_floors(truths: Sequence[Answered], durations_s: Sequence[float]) -> Floors:
    """Learn the guesses from the truth of training clips.

    Args:
        truths: (n,) of each clip.
        durations_s: (n,) length of each clip.

    Raises:
        BadInput: no clips, or another number of durations, or one that is not above 0.
    """
    _check(truths, durations_s)
    counts = Counter(true.operation for true in truths)
    pairs: dict[str, Counter[str]] = defaultdict(Counter)
    for true in truths:
        pairs[true.operation][true.next_operation] += 1
    followers = {name: counter.most_common(1)[0][0] for name, counter in pairs.items()}
    following = Counter(true.next_operation for true in truths)
    shares = segments_of(truths, "training clip") / np.asarray(durations_s, float)[:, None]
    return Floors(_commonest(counts), _commonest(following), followers, _best_segment(shares))


def _check(truths: Sequence[Answered], durations_s: Sequence[float]) -> None:
    if not truths or len(truths) != len(durations_s) or not min(durations_s) > 0:
        raise BadInput(
            f"floors: {len(truths)} clips and {len(durations_s)} durations; "
            "give a duration above 0 for each clip, and at least one clip"
        )


def _commonest(counts: Counter[str]) -> str:
    return counts.most_common(1)[0][0]


def _best_segment(shares: np.ndarray) -> Segment:
    """The constant segment that overlaps most of (n, 2) by half, on a grid of twentieths."""
    grid = np.linspace(0, 1, 21)
    pairs = np.array([(start, end) for start in grid for end in grid if end > start])
    best = pairs[int(np.argmax(reaches(tiou_matrix(pairs, shares), 0.5).mean(axis=1)))]
    return float(best[0]), float(best[1])


def floors(
    train_truths: Sequence[Answered],
    test_truths: Sequence[Answered],
    predicted_operations: Sequence[str | None],
    *,
    train_durations_s: Sequence[float] | None = None,
    test_durations_s: Sequence[float] | None = None,
    sources: Sequence[str] | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, TemporalScores]:
    """Scores of the three floors on the test clips.

    Of `bigram` and `copy_last` only AA@1 is a floor: their operation is the model's, their segment the
    constant one.

    Args:
        train_truths: of the train part; nothing else is learned from.
        test_truths: (n,) of the clips the model is scored on.
        predicted_operations: (n,) what the model named; None where its text was no answer.
        train_durations_s: length of each training clip; by default all clips are as long as the latest end.
        test_durations_s: (n,) likewise.
        sources: (n,) as the model's scores were given; so with the next three.
        draws: bootstrap samples.
        level: probability mass of the intervals, 0..1.
        seed: of the draws.

    Raises:
        BadInput: as `learn_floors` and `score_answers`.
    """
    longest = [max((true.end_s for true in train_truths), default=0.0)]
    learned = learn_floors(train_truths, train_durations_s or longest * len(train_truths))
    made = guess(learned, predicted_operations, test_durations_s or longest * len(test_truths))
    return {
        name: score_answers(test_truths, answers, draws, sources=sources, level=level, seed=seed)
        for name, answers in made.items()
    }


def guess(
    learned: Floors, predicted_operations: Sequence[str | None], durations_s: Sequence[float]
) -> dict[str, list[Guess | None]]:
    """What each floor answers about clips; None where it builds on the model and the model named nothing.

    Raises:
        BadInput: another number of durations than of predicted operations.
    """
    if len(durations_s) != len(predicted_operations):
        raise BadInput(
            f"floors: {len(durations_s)} test clips and {len(predicted_operations)} predicted operations; "
            "give one each"
        )
    said = list(zip(predicted_operations, durations_s, strict=True))
    return {
        "majority": [_blind(learned, length) for length in durations_s],
        "bigram": [_after(learned, name, length, learned.follower) for name, length in said],
        "copy_last": [_after(learned, name, length, str) for name, length in said],
    }


def _blind(learned: Floors, duration_s: float) -> Guess:
    return Guess(learned.operation, *learned.seconds(duration_s), learned.next_operation)


def _after(
    learned: Floors, operation: str | None, duration_s: float, follower: Callable[[str], str]
) -> Guess | None:
    """The model's operation with a guessed follower; None where it named none."""
    if operation is None:
        return None
    return Guess(operation, *learned.seconds(duration_s), follower(operation))


def procedure_share(learned: Floors, test_truths: Sequence[Answered]) -> Metric:
    """How often the learned follower of the *true* operation comes next.

    No floor, since it knows what the model has to see: it says how much of AA@1 the procedure alone gives to
    whoever names the operation right.

    Raises:
        BadInput: there are no test clips.
    """
    return proportion([learned.follower(true.operation) == true.next_operation for true in test_truths])
