"""Figures of dose and response: curves with bands, points with intervals, distributions on each other."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.plots.charts import new_figure, style
from nbhelpers.plots.palette import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Values, and the lower and the upper end of their intervals, over the same xs.
Band = tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[float]]


def bands(
    panels: Mapping[str, Mapping[str, Band]],
    xlabels: Sequence[str],
    ylabel: str,
    *,
    log_y: bool = False,
    reversed_x: Sequence[bool] | None = None,
    limits_y: tuple[float, float] | None = None,
    level: tuple[float, str] | None = None,
    width_in: float = 9.6,
    height_in: float = 3.3,
) -> "Figure":
    """Plot curves with intervals in panels side by side, on logarithmic x and one shared y.

    Args:
        panels: title -> line name -> (xs, values, low, high); xs above 0. A name has one colour everywhere.
        xlabels: one per panel.
        ylabel: of the first panel.
        log_y: logarithmic y.
        reversed_x: whether a panel's x runs from large to small.
        limits_y: of the shared axis.
        level: a horizontal line and what it means.
        width_in: inches.
        height_in: inches.

    Raises:
        BadInput: no panels, or another number of labels.
    """
    if not panels or len(xlabels) != len(panels):
        raise BadInput(f"bands: {len(panels)} panels and {len(xlabels)} labels; give one each, at least one")
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    with style():
        figure = new_figure(width_in, height_in)
        axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        for place, (axis, (title, lines)) in enumerate(zip(axes, panels.items(), strict=True)):
            for name, band in lines.items():
                _band(axis, name, band, names.index(name))
            if level is not None:
                axis.axhline(level[0], color="#555555", linestyle=":", linewidth=1.2, label=level[1])
            axis.set(xlabel=xlabels[place], ylabel=ylabel if place == 0 else "", title=title)
            _log_x(axis, [x for band in lines.values() for x in band[0]])
            if reversed_x is not None and reversed_x[place]:
                axis.invert_xaxis()
        axes[0].set_yscale("log" if log_y else "linear")
        if limits_y is not None:
            axes[0].set_ylim(*limits_y)
        for axis, lines in zip(axes, panels.values(), strict=True):
            if axis is axes[0] or set(lines) - set(next(iter(panels.values()))):
                axis.legend(loc="upper left")
    return figure


def _band(axis: "Axes", name: str, band: Band, number: int) -> None:
    """Lines that lie on each other stay visible by their dashes."""
    xs, values, low, high = band
    color, dashes = PALETTE[number % len(PALETTE)], ("-", (0, (4, 1.6)), (0, (1.2, 1.2)))[number % 3]
    axis.fill_between(xs, low, high, color=color, alpha=0.2, linewidth=0)
    axis.plot(xs, values, color=color, linestyle=dashes, label=name, marker="o", markersize=4)


def _log_x(axis: "Axes", xs: Sequence[float]) -> None:
    """Ticks where points are: a logarithmic axis of one decade would otherwise have hardly any."""
    from matplotlib.ticker import NullFormatter, NullLocator

    axis.set_xscale("log")
    ticks = sorted(set(xs))
    apart = [t for place, t in enumerate(ticks) if place == 0 or t / ticks[place - 1] > 1.12]
    axis.set_xticks(apart, [f"{tick:g}" for tick in apart])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_formatter(NullFormatter())


def forest(
    rows: Mapping[str, Mapping[str, tuple[float, float, float] | None]],
    xlabels: Sequence[str],
    *,
    log_x: bool = True,
    missing: str = "beyond the tested levels",
    reversed_x: Sequence[bool] | None = None,
    width_in: float = 9.6,
) -> "Figure":
    """Plot points with intervals, a row per name, in panels side by side (a forest plot).

    Args:
        rows: panel title -> name -> (value, low, high), or None where there is no value.
        xlabels: one per panel.
        log_x: logarithmic x.
        missing: said in a row without a value.
        reversed_x: whether a panel's x runs from large to small.
        width_in: inches; the height follows from the number of rows.

    Raises:
        BadInput: no panels, or another number of labels.
    """
    if not rows or len(xlabels) != len(rows):
        raise BadInput(f"forest: {len(rows)} panels and {len(xlabels)} labels; give one each, at least one")
    names = list(dict.fromkeys(name for points in rows.values() for name in points))
    with style():
        figure = new_figure(width_in, 0.9 + 0.36 * len(names))
        axes = np.atleast_1d(figure.subplots(1, len(rows), sharey=True))
        for place, (axis, (title, points)) in enumerate(zip(axes, rows.items(), strict=True)):
            axis.set(xlabel=xlabels[place], title=title, yticks=range(len(names)), yticklabels=names)
            axis.set_ylim(len(names) - 0.4, -0.6)
            ends = [value for point in points.values() if point for value in point]
            if ends and log_x:
                _log_forest(axis, ends)
            for row, name in enumerate(names):
                _point(axis, row, points.get(name), PALETTE[row % len(PALETTE)], missing)
            if reversed_x is not None and reversed_x[place]:
                axis.invert_xaxis()
    return figure


def _log_forest(axis: "Axes", ends: Sequence[float]) -> None:
    """Round ticks over less than a decade, where a logarithmic axis would have one or two."""
    from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

    low, high = min(ends) / 1.15, max(ends) * 1.15
    axis.set_xscale("log")
    ticks = [tick for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlim(low, high)


def _point(
    axis: "Axes", row: int, point: tuple[float, float, float] | None, color: str, missing: str
) -> None:
    if point is None:
        axis.text(0.5, row, missing, transform=axis.get_yaxis_transform(), ha="center", va="center",
                  fontsize=8, color="#666666")  # fmt: skip
        return
    value, low, high = point
    axis.plot([low, high], [row, row], color=color, linewidth=2.4, solid_capstyle="round")
    axis.plot([value], [row], "o", color=color, markersize=7)


def distributions(
    panels: Mapping[str, Mapping[str, np.ndarray]],
    xlabel: str,
    *,
    bins: int = 81,
    limit: float | None = None,
    width_in: float = 9.6,
    height_in: float = 2.9,
) -> "Figure":
    """Plot histograms on each other in panels side by side, with one shared range of x.

    Args:
        panels: title -> name -> values.
        xlabel: what is counted, with its unit.
        bins: of all histograms.
        limit: half width of the range around 0, beyond which nothing is shown; the largest value by default.
        width_in: inches.
        height_in: inches.

    Raises:
        BadInput: no panels.
    """
    if not panels:
        raise BadInput("distributions: there is nothing to show")
    far = limit or max(float(np.abs(values).max()) for lines in panels.values() for values in lines.values())
    edges = np.linspace(-far, far, bins + 1)
    with style():
        figure = new_figure(width_in, height_in)
        axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        for place, (axis, (title, lines)) in enumerate(zip(axes, panels.items(), strict=True)):
            for number, (name, values) in enumerate(lines.items()):
                look = {"histtype": "stepfilled", "alpha": 0.35, "color": PALETTE[number % len(PALETTE)]}
                axis.hist(values, bins=list(edges), label=name, **look)
            axis.set(xlabel=xlabel, title=title, ylabel="weights" if place == 0 else "")
            axis.set_yscale("log")
        axes[0].legend(loc="upper left")
    return figure
