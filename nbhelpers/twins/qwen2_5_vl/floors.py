"""What can be scored without looking: guesses made from training clips alone, measured on held-out ones."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nbhelpers.data.operations import Answer, OperationClip


def temporal_iou(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Common seconds over covered seconds of two segments (start, end); 0 where neither lasts."""
    common = max(0.0, min(first[1], second[1]) - max(first[0], second[0]))
    covered = first[1] - first[0] + second[1] - second[0] - common
    return common / covered if covered > 0 else 0.0


@dataclass(frozen=True)
class Floors:
    """Guesses: the commonest operation, the commonest follower of each, the best segment to always name.

    `segment` is in shares of the clip.
    """

    operation: str
    followers: dict[str, str]
    segment: tuple[float, float]

    def follower(self, operation: str) -> str:
        """What usually follows an operation; for one never seen, what follows the commonest."""
        return self.followers.get(operation, self.followers[self.operation])

    def blind(self, clip: OperationClip) -> Answer:
        """The answer of somebody who does not look."""
        start, end = (share * clip.duration_s for share in self.segment)
        return Answer(self.operation, start, end, self.follower(self.operation))


def learn_floors(clips: Sequence[OperationClip]) -> Floors:
    """Learn the guesses from the truth of training clips; none of them is drawn."""
    counts = Counter(clip.operation.name for clip in clips)
    pairs: dict[str, Counter[str]] = defaultdict(Counter)
    for clip in clips:
        pairs[clip.operation.name][clip.next_operation.name] += 1
    followers = {name: counter.most_common(1)[0][0] for name, counter in pairs.items()}
    return Floors(counts.most_common(1)[0][0], followers, _best_segment(clips))


def _best_segment(clips: Sequence[OperationClip]) -> tuple[float, float]:
    """The constant segment that overlaps most clips' by half, on a grid of twentieths."""
    truths = np.array([(clip.start_s / clip.duration_s, clip.end_s / clip.duration_s) for clip in clips])
    grid = np.linspace(0, 1, 21)
    pairs = np.array([(start, end) for start in grid for end in grid if end > start])
    low, high = pairs[:, None, 0], pairs[:, None, 1]
    common = np.clip(np.minimum(high, truths[:, 1]) - np.maximum(low, truths[:, 0]), 0, None)
    covered = high - low + truths[:, 1] - truths[:, 0] - common
    best = pairs[int(np.argmax((common >= 0.5 * covered).mean(axis=1)))]
    return float(best[0]), float(best[1])
