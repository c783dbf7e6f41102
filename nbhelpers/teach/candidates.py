"""Which model becomes a teacher: the profile's models from the largest down, or the one that was named."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nbhelpers.memory.shapes import Shapes

if TYPE_CHECKING:
    from nbhelpers.models import Loaded
    from nbhelpers.settings import LoraSettings

# What a prompt takes: words, a full stop after each class, [CLS] and [SEP]. Tokenizers part rare words.
_TOKENS_PER_WORD, _ENDS, _MOST = 2, 2, 256


def candidates(purpose: str, settings: "LoraSettings", profile: str) -> list[str]:
    """Names to try, in this order.

    Args:
        purpose: `detector` or `segmenter`.
        settings: `model` names one, or `auto` takes the profile's.
        profile: built-in profile whose models are meant: cpu, t4 or rtx3090.

    Raises:
        BadInput: an unknown profile.
    """
    from nbhelpers.models import chain

    return chain(purpose, profile) if settings.model == "auto" else [settings.model]


def step_shapes(purpose: str, settings: "LoraSettings", class_names: Sequence[str]) -> Shapes:
    """The size of one training step, for the dry run that decides whether a model fits."""
    if purpose == "segmenter":
        return Shapes(batch=settings.batch, images=1)
    words = sum(len(name.replace("_", " ").split()) for name in class_names)
    tokens = _ENDS + len(class_names) + _TOKENS_PER_WORD * words
    return Shapes(batch=settings.batch, images=1, text_tokens=min(_MOST, tokens))


def load_teacher(
    purpose: str,
    settings: "LoraSettings",
    class_names: Sequence[str],
    *,
    profile: str,
    device: str = "auto",
    say: Callable[[str], None] = print,
) -> "Loaded":
    """Load the first candidate that is reachable and whose training step fits; say of each why or why not.

    Args:
        purpose: `detector` or `segmenter`.
        settings: of this teacher.
        class_names: what the detector is asked for.
        profile: see `candidates`.
        device: as `runtime.choose_device` takes it.
        say: takes the lines meant for people, one per candidate.

    Raises:
        NothingFits: no candidate could be taken; says of each why.
    """
    from nbhelpers.models import load

    names = candidates(purpose, settings, profile)
    loaded = load(names, task="tune", device=device, shapes=step_shapes(purpose, settings, class_names))
    for rung in loaded.rungs:
        say(f"{purpose}: {rung.name} {'taken' if rung.taken else 'left'}: {rung.reason}")
    return loaded
