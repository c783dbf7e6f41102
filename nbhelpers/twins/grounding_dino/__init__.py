"""The twin of Grounding DINO: boxes for a text prompt, learnt from drawn warehouse scenes."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.twins.grounding_dino.build import build_config, build_model
    from nbhelpers.twins.grounding_dino.recipe import RECIPE
    from nbhelpers.twins.grounding_dino.vocabulary import build_processor, build_tokenizer

_HOME = {
    "build_config": "build",
    "build_model": "build",
    "build_processor": "vocabulary",
    "build_tokenizer": "vocabulary",
    "RECIPE": "recipe",
}

__all__ = [
    "build_config",
    "build_model",
    "build_processor",
    "build_tokenizer",
    "RECIPE",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the modules below bring torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
