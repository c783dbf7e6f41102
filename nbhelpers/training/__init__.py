"""The one training loop, used by every room: checkpoints, resume to the same bits, deadline, scalars."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.training.loop import FitResult, fit
    from nbhelpers.training.settings import FitSettings, autocast_for

_HOME = {"fit": "loop", "FitResult": "loop", "FitSettings": "settings", "autocast_for": "settings"}

__all__ = ["fit", "FitSettings", "FitResult", "autocast_for"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the loop brings torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
