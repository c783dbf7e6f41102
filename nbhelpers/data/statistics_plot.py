"""The statistics of a set as one figure of four panels."""

from typing import TYPE_CHECKING

import numpy as np

from nbhelpers.data.statistics import LARGE, SMALL, Statistics, size_of
from nbhelpers.plots import PALETTE, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CLASSES = 15
MOST_BARS = 20


def plot_statistics(stats: Statistics, width_in: float = 9.0) -> "Figure":
    """Draw classes, object sizes, objects per image and where objects lie, side by side.

    Args:
        stats: from `statistics`.
        width_in: width of the figure, inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(width_in, width_in * 0.68), layout="constrained")
        FigureCanvasAgg(figure)
        (classes, sizes), (numbers, places) = figure.subplots(2, 2)
        _draw_classes(classes, stats)
        _draw_sizes(sizes, stats)
        _draw_numbers(numbers, stats)
        _draw_places(figure, places, stats)
        figure.suptitle(_title(stats), fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


def _title(stats: Statistics) -> str:
    text = f"{stats.images:,} images, {stats.annotations:,} annotations, {len(stats.classes)} classes"
    if not stats.image_sizes:
        return text
    width, height, _ = stats.image_sizes[0]
    several = len(stats.image_sizes) > 1
    sizes = f"{len(stats.image_sizes)} image sizes, most often " if several else ""
    return f"{text}; {sizes}{width} x {height} px"


def _draw_classes(axes: "Axes", stats: Statistics) -> None:
    """Objects and images per class, the most frequent on top; the tail of a long list as one bar."""
    ranked = sorted(stats.classes.items(), key=lambda item: (-item[1].objects, item[0]))
    rows = [(name, count.objects, count.images) for name, count in ranked[:MOST_CLASSES]]
    if rest := ranked[MOST_CLASSES:]:
        mean = sum(count.objects for _, count in rest) / len(rest)
        rows.append((f"mean of {len(rest)} more", round(mean), round(np.mean([c.images for _, c in rest]))))
    places = np.arange(len(rows))
    axes.barh(places, [row[1] for row in rows], height=0.72, color=PALETTE[0], label="objects")
    axes.barh(places, [row[2] for row in rows], height=0.26, color=PALETTE[1], label="images that show it")
    for place, (_, objects, _) in zip(places, rows, strict=True):
        axes.annotate(f"{objects:,}", (objects, place), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks(places, [_short(row[0]) for row in rows])
    axes.set(title="Classes", ylim=(len(rows) - 0.4, -0.6))
    axes.margins(x=0.14)
    axes.grid(visible=False, axis="y")
    axes.legend(loc="lower right", bbox_to_anchor=(1.02, 0.98), ncols=2, handlelength=1, columnspacing=1)


def _short(name: str, most: int = 18) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _draw_sizes(axes: "Axes", stats: Statistics) -> None:
    """Side of the square of equal area, on a log axis, in COCO's three ranges."""
    areas = stats.areas[stats.areas > 0]
    sides = np.sqrt(areas)
    axes.set(title="Object sizes", xlabel="square root of the area, px (log)", ylabel="objects")
    if not sides.size:
        return
    low, high = min(sides.min(), 16.0), max(sides.max() * 1.02, 192.0)
    bounds = [low, SMALL**0.5, LARGE**0.5, high]
    names = np.array([size_of(area) for area in areas])
    for color, name, start, end in zip((4, 0, 9), stats.sizes, bounds[:-1], bounds[1:], strict=True):
        edges = np.geomspace(start, end, 1 + max(1, round(4 * np.log2(end / start))))
        axes.hist(sides[names == name], bins=edges.tolist(), color=PALETTE[color])
        label = f"{name}\n{stats.sizes[name]:,}"
        axes.text(
            np.sqrt(start * end), 0.98, label, transform=axes.get_xaxis_transform(), ha="center", va="top"
        )
    for bound in bounds[1:3]:
        axes.axvline(bound, color="#555555", linewidth=1, linestyle="--")
    axes.set_xscale("log", base=2)
    axes.set_xlim(low, high)
    axes.margins(y=0.3)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")


def _draw_numbers(axes: "Axes", stats: Statistics) -> None:
    """How many images show how many objects."""
    from matplotlib.ticker import MaxNLocator

    numbers = np.repeat(list(stats.objects_in_images), list(stats.objects_in_images.values()))
    spread = stats.objects_per_image
    axes.set(title="Objects per image", xlabel="objects", ylabel="images")
    if not numbers.size:
        return
    step = max(1, int(np.ceil((numbers.max() + 1) / MOST_BARS)))
    edges = np.arange(0, numbers.max() + 1 + step, step) - 0.5
    axes.hist(numbers, bins=edges.tolist(), color=PALETTE[2], rwidth=0.86)
    axes.axvline(spread.mean, color="#333333", linewidth=1.2, linestyle="--")
    left = spread.mean > (edges[0] + edges[-1]) / 2
    place = {"xytext": (-5 if left else 5, -4), "ha": "right" if left else "left"}
    text = f"mean {spread.mean:.1f}"
    axes.annotate(text, (spread.mean, 1), **place, xycoords=axes.get_xaxis_transform(),  # type: ignore[arg-type]
                  textcoords="offset points", va="top")  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.16)


def _draw_places(figure: "Figure", axes: "Axes", stats: Statistics) -> None:
    """Mean number of boxes over every spot of the image, all images brought to one size."""
    if stats.image_sizes:
        width, height, _ = stats.image_sizes[0]
    else:
        width, height = 1, 1
    shown = axes.imshow(stats.coverage, cmap="viridis", vmin=0, extent=(0, 1, 1, 0), interpolation="bilinear")
    axes.set(title="Where objects lie", xlabel="across the image", ylabel="down the image")
    axes.set_aspect(height / width)
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([0, 0.5, 1])
    axes.grid(visible=False)
    figure.colorbar(shown, ax=axes, label="boxes per image", shrink=0.9)
