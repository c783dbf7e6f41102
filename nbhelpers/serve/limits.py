"""How much one server takes: sizes, durations, counts, waiting."""

import math
from dataclasses import dataclass, fields

from nbhelpers.errors import BadInput

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds that are held for every request; all above 0.

    They bound the disk: at most `places` requests of `files` files of `upload_mib` each are there at once.
    And memory: only requests whose turn it is (two at a time) hold decoded frames.

    Attributes:
        upload_mib: largest file, MiB.
        video_s: longest video, seconds.
        megapixels: largest frame, millions of pixels (9: 4K).
        files: most videos in one batch.
        places: requests being received, waiting or answered at once; one more is refused with 429.
        upload_s: longest time an upload may take, seconds.
        wait_s: longest time a received request waits for its turn, seconds.
        frames: most frames shown to the model; an even number.
        together: videos of a batch that the model answers in one call.
    """

    upload_mib: float = 256.0
    video_s: float = 600.0
    megapixels: float = 9.0
    files: int = 16
    places: int = 32
    upload_s: float = 120.0
    wait_s: float = 120.0
    frames: int = 8
    together: int = 4

    def __post_init__(self) -> None:
        """Check every bound.

        Raises:
            BadInput: one is not a positive finite number, or `frames` is odd.
        """
        for item in fields(self):
            value = getattr(self, item.name)
            if not (math.isfinite(value) and value > 0):
                raise BadInput(f"limit {item.name} {value:g}: must be a number above 0")
        if self.frames % 2:
            raise BadInput(f"limit frames {self.frames}: must be even; models merge pairs of frames")

    @property
    def upload_bytes(self) -> int:
        """Largest file in bytes."""
        return int(self.upload_mib * MIB)
