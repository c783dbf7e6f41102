"""The first model of a chain whose candidates are each asked for in their own way."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nbhelpers.models.rungs import NothingFits, Rung

if TYPE_CHECKING:
    from nbhelpers.models.loaded import Loaded


def load_first(
    names: Sequence[str],
    options: Callable[[str], dict[str, Any]],
    *,
    say: Callable[[str], None] = print,
    label: str = "",
    unfit: Callable[["Loaded"], str] | None = None,
) -> "Loaded":
    """Load the first candidate that is reachable and fits; say of each why it is taken or left.

    `load` asks for every candidate alike; here a twin may be given smaller pictures than the real model, and
    packed otherwise.

    Args:
        names: to try, in this order.
        options: what `load` is called with beside the name of a candidate.
        say: takes one line per candidate.
        label: what the model is for; begins every line.
        unfit: why a model that was loaded will not do; empty where it does.

    Returns:
        The loaded model; its `rungs` are those of all candidates that were tried.

    Raises:
        NothingFits: no candidate could be taken; says of each why.
    """
    from nbhelpers.models import load

    left, head = list[Rung](), f"{label}: " if label else ""
    for name in names:
        try:
            loaded = load(name, **options(name))
        except NothingFits as refused:
            left += refused.rungs
            say(f"{head}{name} is left: {refused.rungs[-1].reason}")
            continue
        reason = unfit(loaded) if unfit else ""
        if reason:
            left.append(Rung(name, "unsupported", False, reason))
            say(f"{head}{name} is left: {reason}")
            continue
        say(f"{head}{name} is taken: {loaded.reason}")
        loaded.rungs = [*left, *loaded.rungs]
        return loaded
    raise NothingFits(left)
