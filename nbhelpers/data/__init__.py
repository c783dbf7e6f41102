"""COCO sets: read, check, complete, look at, split and prepare; and the scenes drawn as the embedded default.

Several functions bear the name of the file they live in (`split`, `complete`, `prepare` ...). Importing a
submodule binds its name in this package, so those functions are bound here, once and first; everything else
is looked up when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nbhelpers.data.split import describe, missing_classes, parse_split, split

if TYPE_CHECKING:
    from nbhelpers.data.modes import Mode, detect_mode, mode_config, write_mode_config

_LAZY = {
    "detect_mode": "modes",
    "mode_config": "modes",
    "write_mode_config": "modes",
    "Mode": "modes",
}

__all__ = [
    "split", "parse_split", "describe", "missing_classes",
    "Mode", "detect_mode", "mode_config", "write_mode_config",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import the module that holds `name` the first time it is asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
