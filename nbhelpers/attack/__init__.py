"""Adversarial patches against vision-language models: optimise, evaluate from the file, compare, print.

Importing this brings no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.attack.defences import DEFENCES, Defended, defend
    from nbhelpers.attack.evaluation import Goal, Scores, evaluate, success_of
    from nbhelpers.attack.exploring import explorer, placed, static_grid
    from nbhelpers.attack.laying import Lay, Question, laid, questions_of
    from nbhelpers.attack.optimisation import judging_lay, optimise
    from nbhelpers.attack.optimised import Optimised
    from nbhelpers.attack.patch import Patch, make_patch, on_white, read_png, save_png
    from nbhelpers.attack.poses import PoseRanges
    from nbhelpers.attack.room import with_room
    from nbhelpers.attack.rungs import load_victim, picture_side
    from nbhelpers.attack.sheet import Sheet, print_sheet
    from nbhelpers.attack.success import Net, distance, net_of, says
    from nbhelpers.attack.sweep import Swept, sweep_places, sweep_scale_and_turn
    from nbhelpers.attack.transferring import transfer
    from nbhelpers.attack.transforms import Wear
    from nbhelpers.attack.victim import Victim

_HOME = {
    **dict.fromkeys(("DEFENCES", "Defended", "defend"), "defences"),
    **dict.fromkeys(("Sheet", "print_sheet"), "sheet"),
    **dict.fromkeys(("Swept", "sweep_places", "sweep_scale_and_turn"), "sweep"),
    "transfer": "transferring",
    **dict.fromkeys(("explorer", "placed", "static_grid"), "exploring"),
    **dict.fromkeys(("Goal", "Scores", "evaluate", "success_of"), "evaluation"),
    **dict.fromkeys(("Lay", "Question", "laid", "questions_of"), "laying"),
    **dict.fromkeys(("judging_lay", "optimise"), "optimisation"),
    "Optimised": "optimised",
    **dict.fromkeys(("Patch", "make_patch", "on_white", "read_png", "save_png"), "patch"),
    "with_room": "room",
    **dict.fromkeys(("load_victim", "picture_side"), "rungs"),
    **dict.fromkeys(("Net", "distance", "net_of", "says"), "success"),
    "PoseRanges": "poses",
    "Wear": "transforms",
    "Victim": "victim",
}

__all__ = [
    "Goal", "Scores", "evaluate", "success_of", "Lay", "Question", "laid", "questions_of", "Optimised",
    "judging_lay", "optimise", "Patch", "make_patch", "on_white", "read_png", "save_png",
    "load_victim", "picture_side", "with_room",
    "Net", "distance", "net_of", "says", "PoseRanges", "Wear", "Victim",
    "DEFENCES", "Defended", "defend", "Sheet", "print_sheet", "Swept", "sweep_places", "sweep_scale_and_turn",
    "transfer", "explorer", "placed", "static_grid",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the modules below bring torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
