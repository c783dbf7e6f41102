"""Grounding DINO as a teacher: prompts from class names, boxes, tuning with LoRA."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.teach.grounding_dino.detection import detect
    from nbhelpers.teach.grounding_dino.prompt import prompt_of
    from nbhelpers.teach.grounding_dino.scores import box_results, box_scores
    from nbhelpers.teach.grounding_dino.tuning import tune_grounding_dino

_HOME = {
    "detect": "detection",
    "prompt_of": "prompt",
    "box_results": "scores",
    "box_scores": "scores",
    "tune_grounding_dino": "tuning",
}

__all__ = ["detect", "prompt_of", "box_results", "box_scores", "tune_grounding_dino"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the modules below bring torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
