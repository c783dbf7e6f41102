"""The size of one step: how many samples, pictures, frames and tokens a model is asked to hold at once."""

from dataclasses import dataclass

from nbhelpers.errors import BadInput

# (least, most) per field. The upper ends catch a mistyped zero, not a real wish.
_RANGES = {
    "batch": (1, 4096),
    "images": (0, 256),
    "frames": (0, 4096),
    "size": (16, 8192),
    "text_tokens": (1, 1_000_000),
    "new_tokens": (0, 1_000_000),
}


@dataclass(frozen=True)
class Shapes:
    """What goes through the model in one step; the dry run and every family's example inputs read it.

    Attributes:
        batch: samples in a step.
        images: pictures per sample; left out where `frames` asks for a video.
        frames: video frames per sample; 0 for none.
        size: side of each square picture or frame in pixels; None takes the processor's own size.
        text_tokens: tokens of text per sample, those that stand for pictures not counted.
        new_tokens: tokens to generate when inferring.

    Raises:
        BadInput: a value outside its range; names the field and the range.
    """

    batch: int = 1
    images: int = 1
    frames: int = 0
    size: int | None = None
    text_tokens: int = 128
    new_tokens: int = 64

    def __post_init__(self) -> None:
        """Refuse what no model can take."""
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise BadInput(f"{name} {value}: must be between {least:,} and {most:,}")
