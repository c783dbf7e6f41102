"""Which model is tuned: the profile's models from the largest down, or the one that was named."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbhelpers.video.plan import shapes_of

if TYPE_CHECKING:
    from nbhelpers.models import Loaded
    from nbhelpers.settings import VideoSection

_DRAWN_PX = 84  # what the twin's own processor brings frames to


def load_video_model(
    settings: "VideoSection",
    *,
    profile: str,
    device: str = "auto",
    say: Callable[[str], None] = print,
) -> "Loaded":
    """Load the first candidate that is reachable and whose training step fits; say of each why or why not.

    Args:
        settings: the `video` section.
        profile: built-in profile whose models are meant: cpu, t4 or rtx3090.
        device: as `runtime.choose_device` takes it.
        say: takes the lines meant for people, one per candidate.

    Raises:
        NothingFits: no candidate could be taken; says of each why.
    """
    from nbhelpers.models import chain, load_first
    from nbhelpers.runtime import choose_device

    where = choose_device(device).value

    def options(name: str) -> dict[str, Any]:
        return {
            "task": "tune",
            "quantize": packing(settings, name, where),
            "device": where,
            "shapes": shapes_of(settings, settings.size_px or _DRAWN_PX),
            "gradient_checkpointing": checkpointing(settings, where),
        }

    return load_first(chain("video", profile, settings.model), options, say=say)


def packing(settings: "VideoSection", name: str, device: str) -> str | None:
    """How the text layers of a model are packed on a device."""
    if settings.quantize == "none" or (settings.quantize == "auto" and not device.startswith("cuda")):
        return None
    if settings.quantize != "auto":
        return settings.quantize
    return None if name.startswith("tiny/") else "nf4"


def checkpointing(settings: "VideoSection", device: str) -> bool:
    """Whether activations are computed again in the backward pass: memory is short on GPUs, time on CPUs."""
    return device.startswith("cuda") if settings.checkpointing == "auto" else settings.checkpointing == "on"
