"""Figures in the house look: image grids, curves and bars."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.plots.palette import PALETTE, text_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@contextmanager
def style() -> Iterator[None]:
    """The house look inside a `with` block: readable type, a light grid, no top and right spines."""
    import matplotlib as mpl
    from cycler import cycler

    look = {
        **{"font.size": 10, "axes.titlesize": 11, "axes.labelsize": 10, "legend.fontsize": 9},
        **{"axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#888888"},
        **{"axes.grid": True, "grid.color": "#E4E4E4", "grid.linewidth": 0.8, "axes.axisbelow": True},
        **{"axes.prop_cycle": cycler(color=list(PALETTE)), "lines.linewidth": 2.0, "legend.frameon": False},
        **{"figure.dpi": 100, "savefig.dpi": 100, "figure.facecolor": "white", "axes.titlelocation": "left"},
    }
    with mpl.rc_context(look):  # type: ignore[arg-type]  # the stub wants a literal per key
        yield


def new_figure(width_in: float, height_in: float) -> "Figure":
    """An empty figure of this size in inches."""
    # Not through pyplot: nothing is registered globally, so nothing leaks or is shown twice in a notebook.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def grid(
    images: Sequence[np.ndarray],
    titles: Sequence[str] | None = None,
    columns: int = 4,
    width_in: float = 8.0,
) -> "Figure":
    """Lay images out in rows.

    Args:
        images: HWC uint8 RGB or HW, of any sizes.
        titles: one per image, or none.
        columns: images per row.
        width_in: width of the whole figure, inches.

    Raises:
        BadInput: no images, or another number of titles than of images.
    """
    if not len(images):
        raise BadInput("grid: there are no images to show")
    if titles is not None and len(titles) != len(images):
        raise BadInput(f"grid: {len(titles)} titles for {len(images)} images; give one each")
    columns = max(1, min(columns, len(images)))
    rows = math.ceil(len(images) / columns)
    tallest = max(image.shape[0] / image.shape[1] for image in images)
    height = rows * (width_in / columns * tallest + (0.26 if titles is not None else 0.05))
    with style():
        figure = new_figure(width_in, height)
        layout = {"w_pad": 0.02, "h_pad": 0.02, "wspace": 0.01, "hspace": 0.01}
        figure.set_layout_engine("constrained", **layout)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for place, axis in enumerate(axes):
            axis.set_axis_off()
            if place < len(images):
                _put_image(axis, images[place], titles[place] if titles is not None else "")
    return figure


def _put_image(axis: "Axes", image: np.ndarray, title: str) -> None:
    axis.imshow(image, cmap="gray" if image.ndim == 2 else None, interpolation="antialiased")
    if title:
        axis.set_title(title, fontsize=9, loc="center", pad=3)


def curve(
    xs: Sequence[float] | Mapping[str, Sequence[float]],
    lines: Mapping[str, Sequence[float]],
    xlabel: str,
    ylabel: str,
    title: str = "",
    *,
    log_x: bool = False,
    log_y: bool = False,
    width_in: float = 6.0,
    height_in: float = 3.4,
) -> "Figure":
    """Plot named lines over one shared `xs`, or over one `xs` per name; few points get markers."""
    with style():
        figure = new_figure(width_in, height_in)
        axis = figure.subplots()
        for name, ys in lines.items():
            x = xs[name] if isinstance(xs, Mapping) else xs
            axis.plot(x, ys, label=name, marker="o" if len(ys) <= 30 else None, markersize=4)
        axis.set(xlabel=xlabel, ylabel=ylabel, title=title)
        axis.set_xscale("log" if log_x else "linear")
        axis.set_yscale("log" if log_y else "linear")
        if len(lines) > 1:
            axis.legend()
    return figure


def bars(
    names: Sequence[str],
    values: Sequence[float] | Mapping[str, Sequence[float]],
    ylabel: str,
    title: str = "",
    *,
    intervals: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    number_format: str = "{:g}",
    width_in: float = 6.0,
    height_in: float = 3.4,
) -> "Figure":
    """Plot one bar per name, or a group of bars per name for several named series, with the values on top.

    Args:
        names: below the bars.
        values: heights, or heights by series.
        ylabel: what is counted, with its unit.
        title: above the axes.
        intervals: by series (`""` where there is one alone) a (low, high) per bar, drawn as whiskers.
        number_format: of the values.
        width_in: inches.
        height_in: inches.
    """
    series = values if isinstance(values, Mapping) else {"": values}
    width = 0.8 / max(1, len(series))
    tallest = max((float(height) for heights in series.values() for height in heights), default=1.0)
    with style():
        figure = new_figure(width_in, height_in)
        axis = figure.subplots()
        axis.grid(False, axis="x")
        for place, (label, heights) in enumerate(series.items()):
            xs = np.arange(len(names)) + (place - (len(series) - 1) / 2) * width
            drawn = axis.bar(xs, heights, width=width * 0.94, label=label or None)
            if intervals is None or label not in intervals:
                axis.bar_label(drawn, fmt=number_format.format, fontsize=8, padding=2, color="#444444")
            else:
                _whiskers(axis, xs, heights, intervals[label])
                _values_beside_whiskers(
                    axis, xs, heights, intervals[label], number_format, tallest, text_color(place)
                )
        axis.set(ylabel=ylabel, title=title, xticks=np.arange(len(names)), xticklabels=list(names))
        axis.margins(y=0.12)
        if any(series):
            axis.legend()
    return figure


def _values_beside_whiskers(
    axis: "Axes",
    xs: np.ndarray,
    heights: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    number_format: str,
    tallest: float,
    inside: str,
) -> None:
    """Values in the middle of their bars, the whisker stands on top; above the whisker where a bar is low."""
    for x, height, (_, high) in zip(xs, heights, intervals, strict=True):
        text, tall = number_format.format(height), height >= 0.12 * tallest
        where = (x, height / 2) if tall else (x, max(high, height))
        axis.annotate(
            text, where, (0, 0 if tall else 2), textcoords="offset points", ha="center",
            va="center" if tall else "bottom", fontsize=8, color=inside if tall else "#444444",
        )  # fmt: skip


def _whiskers(
    axis: "Axes", xs: np.ndarray, heights: Sequence[float], intervals: Sequence[tuple[float, float]]
) -> None:
    """Vertical lines from low to high; an interval need not lie evenly about its value, nor hold it."""
    low, high = np.transpose(np.asarray(intervals, float))
    axis.vlines(xs, low, high, color="#333333", linewidth=1.4)
    axis.plot(xs, heights, ".", color="#333333", markersize=3)
