"""Seconds of passes over the data, added up from the steps."""

import pytest

from nbhelpers.training.epochs import seconds_per_epoch

ROWS = [{"step": step, "seconds": float(step)} for step in (1, 2, 3, 4)] + [{"step": 4, "scores": {}}]


@pytest.mark.parametrize(
    ("steps", "seconds"),
    [
        (2, [3, 7]),
        (1.5, [1 + 1, 1 + 3]),  # the second step counts for both
        (0.5, [0.5, 0.5, 1, 1, 1.5, 1.5, 2, 2]),
        (3, [6]),  # a pass that was not ended is no pass
        (50, [10]),  # unless it is all there is
    ],
)
def test_passes_and_parts_of_passes(steps, seconds):
    assert seconds_per_epoch(ROWS, steps) == pytest.approx(seconds)
