"""Does a patch made on one model, or with one seed, work elsewhere? A matrix of makers and victims."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from nbhelpers.artifacts import Metric
from nbhelpers.attack.evaluation import Goal, success_of
from nbhelpers.attack.laying import Lay, Question
from nbhelpers.attack.victim import Victim


def transfer(
    patches: Mapping[str, Path],
    victims: Mapping[str, Victim],
    questions: Sequence[Question],
    goals: Mapping[str, Goal],
    lay: Lay,
) -> dict[tuple[str, str], Metric]:
    """Success of every patch on every victim, on the same questions and places.

    Args:
        patches: name to PNG.
        victims: name to model, such as the same weights in 4 bits.
        questions: held out.
        goals: by the names of `patches`.
        lay: where and how large.

    Returns:
        (patch, victim) -> success with its Wilson interval.
    """
    return {
        (patch, name): success_of(victim, png, questions, goals[patch], lay, f"{patch} on {name}")[0]
        for patch, png in patches.items()
        for name, victim in victims.items()
    }
