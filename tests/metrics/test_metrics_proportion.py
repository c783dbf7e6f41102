import pytest

from nbhelpers.errors import BadInput
from nbhelpers.metrics import proportion


def test_wilsons_own_interval():
    # Newcombe 1998, table I: 81 of 263 and 15 of 148, 1 of 29 and 0 of 20, method 3.
    for count, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (1, 29, 0.0061, 0.1718),
    ):
        found = proportion([True] * count + [False] * (n - count), "cases")
        assert (found.n, found.unit) == (n, "cases")
        assert found.value == pytest.approx(count / n)
        assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
    assert proportion([False] * 20).high == pytest.approx(0.1611, abs=1e-4)


def test_nothing_to_judge_is_an_error():
    with pytest.raises(BadInput, match="proportion of clips"):
        proportion([], "clips")
