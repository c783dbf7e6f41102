"""Where notebooks and runs lie, and which phase each notebook number is."""

import os
import re
from pathlib import Path

from nbhelpers.errors import BadInput

PHASES: dict[str, str] = {
    "01": "memory",
    "02": "data",
    "03": "codegen",
    "04": "degrade",
    "05": "attack",
    "06": "video",
    "07": "teach",
    "08": "distill",
    "09": "export",
}
"""Number of a notebook to its phase: the profile's section and the folder's name in a run."""

_NUMBERED = re.compile(r"(\d\d)_\w+\.ipynb")


def clone_root(folder: Path) -> Path | None:
    """The root of a clone of this project that holds `folder`, or None.

    A clone is known by a `notebooks/` folder beside the package's sources.
    """
    folder = folder.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / "notebooks").is_dir() and (candidate / "nbhelpers" / "__init__.py").is_file():
            return candidate
    return None


def runs_root(runs: str | Path | None = None) -> Path:
    """The folder that holds all runs, absolute.

    In this order: the argument, the variable `NBHELPERS_RUNS`, `runs/` of the clone one works in, and else
    `runs/` in the place for results of this machine.
    """
    chosen = runs or os.environ.get("NBHELPERS_RUNS")
    if chosen:
        return Path(chosen).expanduser().absolute()
    clone = clone_root(Path.cwd())
    if clone is not None:
        return clone / "runs"
    from nbhelpers.runtime import where

    return where().results.absolute() / "runs"


def find_notebooks(folder: str | Path | None = None) -> dict[str, Path]:
    """The numbered notebooks of a folder, as number to path in order.

    Args:
        folder: where they lie; by default `notebooks/` of the clone one works in, else of the clone the
            package was installed from.

    Raises:
        BadInput: there is no such folder, or no numbered notebook in it.
    """
    place = Path(folder).expanduser().absolute() if folder else _default_folder()
    if not place.is_dir():
        raise BadInput(
            f"{place}: there is no such folder; --notebooks takes the folder with the .ipynb files"
        )
    found = {m[1]: path for path in sorted(place.glob("*.ipynb")) if (m := _NUMBERED.fullmatch(path.name))}
    known = {number: path for number, path in found.items() if number in PHASES}
    if not known:
        raise BadInput(f"{place}: holds no numbered notebook such as 02_prepare_data.ipynb")
    return known


def _default_folder() -> Path:
    for start in (Path.cwd(), Path(__file__).parent):
        root = clone_root(start)
        if root is not None:
            return root / "notebooks"
    raise BadInput(
        "no notebooks/ folder here or beside the package: a wheel holds none, so clone the repository "
        "and run there, or name their folder with --notebooks DIR"
    )
