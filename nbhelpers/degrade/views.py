"""Results as a reader looks at them: curves with bands, rows of a forest plot, texts side by side."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nbhelpers.degrade.curves import DRAWS
from nbhelpers.degrade.fits import DoseFit
from nbhelpers.degrade.methods import METHODS
from nbhelpers.degrade.plan import grid
from nbhelpers.degrade.results import Results

if TYPE_CHECKING:
    import pandas as pd

    from nbhelpers.settings import DegradeSection

# (levels, values, low, high), as `plots.bands` takes them.
Band = tuple[list[float], list[float], list[float], list[float]]


def lines_of(results: Results, *, controls: bool = False) -> list[tuple[str, str]]:
    """(method, group) of the curves with two levels or more, of methods or of their controls."""
    levels: dict[tuple[str, str], set[float]] = {}
    for cell in results.cells:
        if cell["level"]:
            levels.setdefault((cell["method"], cell["group"]), set()).add(cell["level"])
    wanted = [line for line in results.lines if len(levels.get(line, ())) > 1]
    return [line for line in wanted if bool(METHODS[line[0]].control_of) == controls]


def band(results: Results, method: str, group: str, measure: str = "perplexity", draws: int = DRAWS) -> Band:
    """The share of function lost at each level (0 as intact, 1 as knowing nothing) with its 95 % band.

    Args:
        results: of an experiment.
        method: such as `ablation`.
        group: such as `mlp_only`.
        measure: see `Results.curve`.
        draws: bootstrap samples.
    """
    curve = results.curve(method, group, measure)
    low, high = np.quantile(curve.drawn(draws), [0.025, 0.975], axis=0)
    return list(curve.levels), curve.lost().tolist(), low.tolist(), high.tolist()


def method_panels(
    results: Results, measure: str = "perplexity", draws: int = DRAWS
) -> dict[str, dict[str, Band]]:
    """For each method the band of every group, for `plots.bands`."""
    panels: dict[str, dict[str, Band]] = {}
    for method, group in lines_of(results):
        panels.setdefault(method, {})[group] = band(results, method, group, measure, draws)
    return panels


def control_panels(
    results: Results, measure: str = "perplexity", draws: int = DRAWS
) -> dict[str, dict[str, Band]]:
    """For each method that has controls its band and theirs, group by group, for `plots.bands`."""
    panels: dict[str, dict[str, Band]] = {}
    methods = lines_of(results)
    for control, group in lines_of(results, controls=True):
        method = METHODS[control].control_of
        panel = panels.setdefault(f"{method}, {group}", {})
        for name in (method, control):
            if name not in panel and (name == control or (name, group) in methods):
                panel[name] = band(results, name, group, measure, draws)
    return panels


def axis_labels(panels: Mapping[str, object]) -> tuple[list[str], list[bool]]:
    """Labels of the x axes of panels titled by a method, and whether each runs from large to small."""
    methods = [title.partition(",")[0] for title in panels]
    return [METHODS[m].unit for m in methods], [m == "uni_quant" for m in methods]


def forest_rows(fits: Sequence[DoseFit]) -> dict[str, dict[str, tuple[float, float, float] | None]]:
    """Levels of half loss for `plots.forest`: by method and group; None where there is none."""
    rows: dict[str, dict[str, tuple[float, float, float] | None]] = {}
    for fit in fits:
        known = fit.ed50 is not None and fit.low is not None and fit.high is not None
        found = (fit.ed50, fit.low, fit.high) if known else None
        rows.setdefault(fit.method, {})[fit.group] = found  # type: ignore[assignment]
    return rows


def fits_table(fits: Sequence[DoseFit]) -> "pd.DataFrame":
    """The fits as a table, a row per method and group."""
    import pandas as pd

    columns = {
        "half lost at": "ed50", "low": "low", "high": "high", "most lost": "effect", "rho": "rho",
        "levels": "levels", "repeats": "repeats", "items": "items",
    }  # fmt: skip
    named = {"method": "method", "group": "group", **columns}
    rows = [{column: getattr(fit, name) for column, name in named.items()} for fit in fits]
    return pd.DataFrame(rows).set_index(["method", "group"])


def side_by_side(results: Results, prompt: str, group: str, language: str = "en") -> "pd.DataFrame":
    """What a prompt got at rising damage: a row per step of the levels, a column per method.

    Args:
        results: of an experiment.
        prompt: its name.
        group: of the weights.
        language: of the prompt.
    """
    import pandas as pd

    columns = {}
    for method, own in lines_of(results):
        if own == group:
            levels = [0.0, *results.curve(method, group).levels]
            columns[method] = [
                f"{level:g}: {_text(results, (method, group, level), prompt, language)}" for level in levels
            ]
    table = pd.DataFrame({name: pd.Series(texts) for name, texts in columns.items()})
    return table.fillna("").rename_axis("step")


def _text(results: Results, cell: tuple[str, str, float], prompt: str, language: str) -> str:
    found = results.text_of(*cell, prompt, language)
    cut = found["non_finite_at"]
    return str(found["text"]) if cut is None else f"{found['text']} [no number at token {cut}]"


def grid_table(settings: "DegradeSection") -> "pd.DataFrame":
    """The grid of an experiment: levels and repeats by method and group."""
    import pandas as pd

    levels: dict[tuple[str, str], list[float]] = {}
    repeats: dict[tuple[str, str], int] = {}
    for cell in grid(settings):
        if cell.method:
            line = (cell.method, cell.group)
            levels[line] = list(dict.fromkeys([*levels.get(line, []), cell.level]))
            repeats[line] = max(repeats.get(line, 0), cell.repeat + 1)
    rows = [(*line, " ".join(f"{one:g}" for one in own), repeats[line]) for line, own in levels.items()]
    return pd.DataFrame(rows, columns=["method", "group", "levels", "repeats"]).set_index(["method", "group"])


def language_table(results: Results, method: str, group: str, measures: Sequence[str]) -> "pd.DataFrame":
    """Means of measures over the texts of each level of a method and group, the intact model first."""
    table = results.table()
    own = table[(table.method == method) & (table.group == group)]
    return own.groupby("level", sort=True)[list(measures)].mean().astype(float)
