"""The twins: tiny models of the real classes, trained here on scenes drawn here."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.twins.recipe import Evaluation, Recipe
    from nbhelpers.twins.registry import RECIPES, find_recipe
    from nbhelpers.twins.report import TwinReport
    from nbhelpers.twins.train import evaluate_twin, train_twin, trained_twin
    from nbhelpers.twins.vocabulary import train_bpe
    from nbhelpers.twins.work import one_thread, work_folder

_HOME = {
    "Recipe": "recipe",
    "Evaluation": "recipe",
    "RECIPES": "registry",
    "find_recipe": "registry",
    "train_bpe": "vocabulary",
    "work_folder": "work",
    "one_thread": "work",
    "TwinReport": "report",
    "train_twin": "train",
    "evaluate_twin": "train",
    "trained_twin": "train",
}

__all__ = [
    "Recipe",
    "Evaluation",
    "RECIPES",
    "find_recipe",
    "train_twin",
    "evaluate_twin",
    "trained_twin",
    "TwinReport",
    "train_bpe",
    "work_folder",
    "one_thread",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
