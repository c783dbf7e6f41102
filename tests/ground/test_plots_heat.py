"""Heat maps show each number where it belongs."""

import numpy as np
import pytest

from nbhelpers.errors import BadInput
from nbhelpers.plots import heat


def test_every_cell_has_its_number_and_names_stand_beside():
    values = np.array([[0.1, 0.9, np.nan], [0.5, 0.0, 1.0]])
    panel = (values, ["a", "b"], ["x", "y", "z"], "across", "down")
    figure = heat({"one": panel, "two": panel}, "share")
    first = figure.axes[0]
    assert [text.get_text() for text in first.texts] == ["0.10", "0.90", "0.50", "0.00", "1.00"]
    assert [text.get_text() for text in first.get_xticklabels()] == ["x", "y", "z"]
    assert [text.get_text() for text in first.get_yticklabels()] == ["a", "b"]
    assert first.images[0].get_clim() == (0.0, 1.0)
    dark = {text.get_text(): text.get_color() for text in first.texts}
    assert dark["0.90"] == "white" != dark["0.10"]


def test_what_does_not_fit_is_refused():
    with pytest.raises(BadInput, match=r"shape \(1, 2\) for 2 rows and 2 columns"):
        heat({"one": (np.zeros((1, 2)), ["a", "b"], ["x", "y"], "", "")}, "share")
    with pytest.raises(BadInput, match="no panels"):
        heat({}, "share")
