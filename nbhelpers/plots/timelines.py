"""Figures of operations in time: segments on a common axis, and which was taken for which."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.plots.charts import new_figure, style
from nbhelpers.plots.palette import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Span = tuple[str, float, float]
_HATCHES = ("", "///", "...", "xxx")  # names beyond the palette's twelve stay distinct


def timelines(
    rows: Mapping[str, Mapping[str, Sequence[Span]]],
    names: Sequence[str],
    title: str = "",
    *,
    width_in: float = 8.0,
    lane_in: float = 0.2,
) -> "Figure":
    """Plot segments in lanes over time, lanes of one clip or video next to each other.

    Args:
        rows: clip or video -> lane (such as `true`, `predicted`) -> (name, start, end in seconds); a lane may
            be empty.
        names: known operations; their order gives the colours and the legend. Other names are drawn in grey.
        title: above the axes.
        width_in: inches.
        lane_in: height of a lane, inches.

    Raises:
        BadInput: nothing to draw, or a segment that is not finite or ends before it starts.
    """
    lanes = [(row, lane, list(spans)) for row, given in rows.items() for lane, spans in given.items()]
    if not lanes:
        raise BadInput("timelines: there are no lanes to draw")
    legend_rows = -(-len(names) // 4)
    with style():
        figure = new_figure(width_in, 0.7 + lane_in * (len(lanes) + 0.6 * len(rows)) + 0.2 * legend_rows)
        axis = figure.subplots()
        places = _places(rows)
        for place, (row, lane, spans) in zip(places, lanes, strict=True):
            for span in spans:
                _draw(axis, place, span, names, f"{row}, {lane}")
        axis.set(xlabel="time, s", title=title, yticks=places, yticklabels=_labels(rows))
        axis.tick_params(axis="y", length=0, labelsize=8)
        axis.grid(False, axis="y")
        axis.set_ylim(places[-1] + 0.7, -0.7)
        axis.set_xlim(left=min([0.0, *(start for _, _, spans in lanes for _, start, _ in spans)]))
        _legend(figure, names, lanes)
    return figure


def _places(rows: Mapping[str, Mapping[str, Sequence[Span]]]) -> list[float]:
    """Heights of the lanes, a gap after each row."""
    places, height = [], 0.0
    for given in rows.values():
        places += [height + number for number in range(len(given))]
        height += len(given) + 0.6
    return places


def _labels(rows: Mapping[str, Mapping[str, Sequence[Span]]]) -> list[str]:
    """The row's name before its first lane only."""
    return [
        f"{row}  {lane}" if number == 0 else lane
        for row, given in rows.items()
        for number, lane in enumerate(given)
    ]


def _draw(axis: "Axes", place: float, span: Span, names: Sequence[str], where: str) -> None:
    name, start, end = span
    if not (np.isfinite([start, end]).all() and end >= start):
        raise BadInput(f"timelines: {where}: {name} from {start} to {end} s is no segment")
    color, hatch = _look(name, names)
    axis.barh(
        place,
        end - start,
        left=start,
        height=0.86,
        color=color,
        hatch=hatch,
        edgecolor="white",
        linewidth=0.8,
    )


def _look(name: str, names: Sequence[str]) -> tuple[str, str]:
    if name not in names:
        return "#BBBBBB", ""
    number = list(names).index(name)
    return PALETTE[number % len(PALETTE)], _HATCHES[number // len(PALETTE) % len(_HATCHES)]


def _legend(figure: "Figure", names: Sequence[str], lanes: Sequence[tuple[str, str, list[Span]]]) -> None:
    """The names that occur, in their order, below the axes."""
    from matplotlib.patches import Patch

    drawn = {span[0] for _, _, spans in lanes for span in spans}
    known = [name for name in names if name in drawn]
    patches = [
        Patch(facecolor=color, hatch=hatch, edgecolor="white", label=name)
        for name in known
        for color, hatch in [_look(name, names)]
    ]
    if drawn - set(names):
        patches.append(Patch(facecolor="#BBBBBB", label="other name"))
    if patches:
        figure.legend(handles=patches, loc="outside lower center", ncols=4)


def confusion_matrix(
    counts: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str] | None = None,
    title: str = "",
    *,
    width_in: float = 6.4,
) -> "Figure":
    """Plot which true class was given which name: counts as numbers, shares of the row as shade.

    Args:
        counts: (R, C) whole numbers, row: true, column: predicted.
        rows: (R,) names.
        columns: (C,) names; those of the rows by default.
        title: above the axes.
        width_in: inches; the height follows from the rows.

    Raises:
        BadInput: the names do not fit the counts, or a count is below 0.
    """
    columns = list(rows if columns is None else columns)
    counts = np.asarray(counts)
    if counts.shape != (len(rows), len(columns)) or not counts.size or counts.min() < 0:
        raise BadInput(
            f"confusion_matrix: counts of shape {counts.shape} for {len(rows)} rows, {len(columns)} columns; "
            "give counts of 0 or more, one per row and column"
        )
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    with style():
        figure = new_figure(width_in, 1.9 + 0.34 * len(rows))
        axis = figure.subplots()
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axis.grid(False)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                color = "white" if shares[row, column] > 0.55 else "#222222"
                axis.text(column, row, str(int(count)), ha="center", va="center", fontsize=8, color=color)
        labels = [f"{name} ({int(total)})" for name, total in zip(rows, totals[:, 0], strict=True)]
        axis.set(xlabel="predicted", ylabel="true (n)", title=title)
        axis.set_xticks(range(len(columns)), columns, rotation=45, ha="right", fontsize=8)
        axis.set_yticks(range(len(rows)), labels, fontsize=8)
    return figure
