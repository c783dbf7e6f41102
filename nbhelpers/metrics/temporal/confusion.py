"""Which operation was taken for which."""

from collections.abc import Sequence

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.metrics.temporal.answers import Answered

OTHER, NO_ANSWER = "other name", "no answer"


def confusion(
    truths: Sequence[Answered],
    predictions: Sequence[Answered | None],
    operations: Sequence[str],
) -> tuple[np.ndarray, list[str]]:
    """Counts of true against predicted operations; every clip is in one cell.

    Args:
        truths: (n,) what is true of each clip.
        predictions: (n,) what was said of each; None where the text was no answer.
        operations: (K,) known names, in the order of rows and columns.

    Returns:
        (K, K + 2) int64, row: true, column: predicted, and the names of the columns: the K operations, then
        names that are none of them, then texts that were no answer.

    Raises:
        BadInput: another number of predictions, or a true operation that is not known.
    """
    if len(truths) != len(predictions):
        raise BadInput(f"confusion: {len(predictions)} predictions for {len(truths)} clips; give one each")
    place = {name: number for number, name in enumerate(operations)}
    unknown = sorted({true.operation for true in truths} - set(place))
    if unknown:
        raise BadInput(f"confusion: operation {unknown[0]!r} is not known; known: {', '.join(operations)}")
    counts = np.zeros((len(place), len(place) + 2), np.int64)
    for true, said in zip(truths, predictions, strict=True):
        column = len(place) + 1 if said is None else place.get(said.operation, len(place))
        counts[place[true.operation], column] += 1
    return counts, [*operations, OTHER, NO_ANSWER]
