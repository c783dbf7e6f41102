"""What each step of the distillation is worth: students that differ in one thing, over several seeds."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.distill.ablation.arms import Arm, arms_of, few_labels_alone
    from nbhelpers.distill.ablation.paired import paired_difference
    from nbhelpers.distill.ablation.report import Ablation, Row
    from nbhelpers.distill.ablation.run import run_ablation
    from nbhelpers.distill.ablation.speed import Speed, compare_speed, speed_table

_HOME = {
    "Ablation": "report",
    "Arm": "arms",
    "Row": "report",
    "Speed": "speed",
    "arms_of": "arms",
    "few_labels_alone": "arms",
    "compare_speed": "speed",
    "paired_difference": "paired",
    "run_ablation": "run",
    "speed_table": "speed",
}

__all__ = [
    "Ablation",
    "Arm",
    "Row",
    "Speed",
    "arms_of",
    "compare_speed",
    "few_labels_alone",
    "paired_difference",
    "run_ablation",
    "speed_table",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
