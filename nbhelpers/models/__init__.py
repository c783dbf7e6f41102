"""Models: families, catalogue, loading that fits, LoRA by role, snapshots. Importing this brings no torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.models.families import FAMILIES, Family, family_of

_HOME = {
    "FAMILIES": "families",
    "Family": "families",
    "family_of": "families",
}

__all__ = [
    "FAMILIES",
    "Family",
    "family_of",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the modules below bring torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
