"""What can be scored without looking: guesses made from training clips alone, measured on held-out ones."""

from collections.abc import Sequence

from nbhelpers.data.operations import Answer, OperationClip, answer_of
from nbhelpers.metrics.temporal import Floors
from nbhelpers.metrics.temporal import learn_floors as learn


def learn_floors(clips: Sequence[OperationClip]) -> Floors:
    """Learn the guesses from the truth of training clips; none of them is drawn."""
    return learn([answer_of(clip) for clip in clips], [clip.duration_s for clip in clips])


def blind(floors: Floors, clip: OperationClip) -> Answer:
    """The answer of somebody who does not look: the commonest operation and what usually follows it."""
    return Answer(floors.operation, *floors.seconds(clip.duration_s), floors.follower(floors.operation))
