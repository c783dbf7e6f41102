"""Timelines and confusion matrices show the segments and counts they are given."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from nbhelpers.errors import BadInput
from nbhelpers.plots import PALETTE, confusion_matrix, encode_figure, timelines

NAMES = ["Picking", "Close Box", "Scan Label"]
ROWS = {
    "clip 1": {
        "true": [("Picking", 0.5, 1.5), ("Close Box", 1.5, 4.0)],
        "predicted": [("Picking", 1.0, 1.4)],
    },
    "clip 2": {"true": [("Scan Label", 1.0, 3.0)], "predicted": []},
    "clip 3": {"true": [("Close Box", 0.5, 2.0)], "predicted": [("Juggling", 0.5, 2.0)]},
}


def test_each_segment_is_a_bar_of_its_colour_in_its_lane():
    figure = timelines(ROWS, NAMES, "Clips")
    axis = figure.axes[0]
    found = [
        (bar.get_x(), bar.get_x() + bar.get_width(), to_hex(bar.get_facecolor())) for bar in axis.patches
    ]
    colors = {name: PALETTE[number].lower() for number, name in enumerate(NAMES)} | {"Juggling": "#bbbbbb"}
    spans = [span for lanes in ROWS.values() for lane in lanes.values() for span in lane]
    assert len(found) == 6
    for (start, end, color), span in zip(found, spans, strict=True):
        assert (start, end) == pytest.approx(span[1:]) and color == colors[span[0]]
    heights = [bar.get_y() + bar.get_height() / 2 for bar in axis.patches]
    assert heights[0] == heights[1] < heights[2] < heights[3] < heights[4] < heights[5]
    assert heights[2] - heights[0] < heights[3] - heights[2], "lanes of one clip stand together"
    assert [text.get_text() for text in axis.get_yticklabels()] == [
        *("clip 1  true", "predicted", "clip 2  true", "predicted", "clip 3  true", "predicted")
    ]
    assert axis.get_xlim()[0] == 0 and axis.yaxis_inverted() and axis.get_xlabel() == "time, s"


def test_the_legend_names_what_occurs():
    def shown(rows):
        return [text.get_text() for text in timelines(rows, NAMES).legends[0].get_texts()]

    assert shown(ROWS) == [*NAMES, "other name"]
    assert shown({"a": {"true": [("Close Box", 0, 1)]}}) == ["Close Box"]
    assert timelines({"a": {"true": []}}, NAMES).legends == []


def test_more_names_than_colours_stay_distinct():
    names = [f"operation {number}" for number in range(30)]
    rows = {"video": {"true": [(name, number, number + 1) for number, name in enumerate(names)]}}
    bars = timelines(rows, names).axes[0].patches
    assert len({(to_hex(bar.get_facecolor()), bar.get_hatch()) for bar in bars}) == 30


@pytest.mark.parametrize("span", [("Picking", 2.0, 1.0), ("Picking", float("nan"), 1.0)])
def test_what_is_no_segment_is_refused(span):
    with pytest.raises(BadInput, match="clip 9, true: Picking from"):
        timelines({"clip 9": {"true": [span]}}, NAMES)
    with pytest.raises(BadInput, match="no lanes"):
        timelines({}, NAMES)


def test_counts_stand_in_their_cells_and_shares_are_the_shade():
    counts = np.array([[3, 1, 0, 0], [0, 0, 0, 0], [0, 2, 5, 3]])
    figure = confusion_matrix(counts, NAMES, [*NAMES, "no answer"], "Confusion")
    axis = figure.axes[0]
    texts = {
        (int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in axis.texts
    }
    assert texts == {(row, column): str(n) for (row, column), n in np.ndenumerate(counts) if n}
    shares = axis.images[0].get_array()
    assert shares[0].tolist() == [0.75, 0.25, 0, 0] and shares[1].tolist() == [0, 0, 0, 0]
    assert [text.get_text() for text in axis.get_yticklabels()] == [
        *("Picking (4)", "Close Box (0)", "Scan Label (10)")
    ]
    assert [text.get_text() for text in axis.get_xticklabels()][-1] == "no answer"
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted", "true (n)")


def test_numbers_can_be_read_on_their_shade():
    axis = confusion_matrix(np.array([[9, 1], [0, 4]]), ["a", "b"]).axes[0]
    assert {text.get_text(): text.get_color() for text in axis.texts} == {
        "9": "white", "1": "#222222", "4": "white"
    }  # fmt: skip


@pytest.mark.parametrize(
    "counts", [np.ones((2, 2)), np.zeros((0, 3)), -np.ones((3, 3))], ids=["shape", "none", "below"]
)
def test_counts_that_do_not_fit_are_refused(counts):
    with pytest.raises(BadInput, match="confusion_matrix: counts of shape"):
        confusion_matrix(counts, NAMES)


def test_twenty_clips_fit_the_bound_of_a_figure():
    rows = {f"clip {k}": ROWS["clip 1"] for k in range(20)}
    assert len(encode_figure(timelines(rows, NAMES), max_kb=150)) <= 150_000
