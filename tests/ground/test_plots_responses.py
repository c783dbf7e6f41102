"""Figures of dose and response: what is drawn where."""

import numpy as np
import pytest

from nbhelpers.errors import BadInput
from nbhelpers.plots import bands, distributions, encode_figure, forest

LINE = ([0.1, 0.2, 0.4], [1.0, 2.0, 4.0], [0.9, 1.8, 3.0], [1.1, 2.2, 5.0])


def test_bands_share_y_and_colours():
    figure = bands(
        {"noise": {"attention": LINE, "mlp": LINE}, "levels": {"mlp": LINE}}, ["sigma", "levels"], "loss",
        log_y=True, reversed_x=[False, True], level=(2.0, "half"), limits_y=(0.5, 9),
    )  # fmt: skip
    first, second = figure.axes
    assert (first.get_ylabel(), second.get_ylabel()) == ("loss", "")
    assert first.get_ylim() == second.get_ylim() == (0.5, 9)
    assert first.lines[1].get_color() == second.lines[0].get_color() != first.lines[0].get_color()
    assert second.get_xlim()[0] > second.get_xlim()[1]
    assert [tick.get_text() for tick in first.get_xticklabels()] == ["0.1", "0.2", "0.4"]
    assert len(encode_figure(figure)) > 1000
    with pytest.raises(BadInput, match="1 panels and 2 labels"):
        bands({"a": {"b": LINE}}, ["x", "y"], "z")


def test_a_forest_has_a_row_per_name_and_says_where_nothing_is():
    figure = forest({"a": {"one": (2.0, 1.0, 3.0), "two": None}, "b": {"two": (5.0, 4.0, 9.0)}}, ["x", "y"])
    first, second = figure.axes
    assert [tick.get_text() for tick in first.get_yticklabels()] == ["one", "two"]
    assert list(first.lines[0].get_xdata()) == [1.0, 3.0]
    assert list(first.lines[1].get_xdata()) == [2.0]
    assert [text.get_text() for text in first.texts] == ["beyond the tested levels"]
    assert [text.get_text() for text in second.texts] == ["beyond the tested levels"]
    assert list(second.lines[0].get_ydata()) == [1, 1]
    assert len(encode_figure(figure)) > 1000
    with pytest.raises(BadInput, match="0 panels"):
        forest({}, [])


def test_distributions_have_one_range():
    values = np.random.default_rng(0).normal(size=500)
    figure = distributions({"noise": {"before": values, "after": 3 * values}}, "weight", limit=2.0)
    axis = figure.axes[0]
    assert axis.get_yscale() == "log"
    assert -2.3 < axis.get_xlim()[0] < axis.get_xlim()[1] < 2.3
    assert len(encode_figure(figure)) > 1000
    with pytest.raises(BadInput, match="nothing to show"):
        distributions({}, "x")
