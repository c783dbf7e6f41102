"""Notebooks: what one uses inside (`start`), and how several are run, resumed and reported on."""

from nbhelpers.notebooks.places import PHASES, find_notebooks, runs_root
from nbhelpers.notebooks.session import Session, start

__all__ = ["start", "Session", "PHASES", "find_notebooks", "runs_root"]
