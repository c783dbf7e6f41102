"""Which model is damaged: the profile's models from the largest down, or the one that was named."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbhelpers.models import Loaded
    from nbhelpers.settings import DegradeSection

_TOKENS = 320  # a prompt with the picture's tokens of Gemma


def load_subject(
    settings: "DegradeSection",
    *,
    profile: str,
    device: str = "auto",
    pictures: bool = False,
    say: Callable[[str], None] = print,
) -> "Loaded":
    """Load the first candidate that is reachable, fits and can be asked; say of each why or why not.

    Weights are loaded as they are: packed ones cannot be damaged. A family that overflows in float16 is
    loaded in float32 or bfloat16, and left where that is too large.

    Args:
        settings: the `degrade` section.
        profile: built-in profile whose models are meant: cpu, t4 or rtx3090.
        device: as `runtime.choose_device` takes it.
        pictures: whether pictures will be shown.
        say: takes the lines meant for people, one per candidate.

    Raises:
        NothingFits: no candidate could be taken; says of each why.
    """
    from nbhelpers.degrade.unpack import unpack
    from nbhelpers.memory import Shapes
    from nbhelpers.models import chain, load_first

    options = {
        "task": "infer",
        "quantize": None if settings.quantize == "none" else settings.quantize,
        "device": device,
        "shapes": Shapes(images=int(pictures), text_tokens=_TOKENS, new_tokens=settings.new_tokens or 200),
    }

    def blind(loaded: "Loaded") -> str:
        return "takes no pictures" if pictures and "image" not in loaded.family.inputs else ""

    loaded = load_first(chain("degrade", profile, settings.model), lambda _: options, say=say, unfit=blind)
    if settings.unpack and (count := unpack(loaded)):
        say(f"{count} packed tensors were unpacked to {str(loaded.dtype).removeprefix('torch.')}")
    return loaded
