"""Decoding that goes on after damaged data."""

from collections.abc import Iterator
from typing import Any

import numpy as np


def decoded_frames(container: Any, stream: Any) -> Iterator[Any]:
    """Frames of a stream from the present place on, in the order they are shown.

    Data that cannot be decoded is passed over: whoever asks for a frame sees that it did not come.
    """
    import av

    try:
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue
            except av.error.EOFError:
                return
    except (av.error.FFmpegError, OSError):
        return  # the file ends early; the index has said so


def upright(frame: Any, size_px: tuple[int, int], turn_deg: int) -> np.ndarray:
    """The pixels of a decoded frame, (H, W, 3) uint8 RGB, turned clockwise by `turn_deg`.

    Args:
        frame: PyAV's.
        size_px: width and height every frame of the video shall have before it is turned.
        turn_deg: 0, 90, 180 or 270.
    """
    width, height = size_px
    # Handing a picture to threads costs more than turning its colours, and waits for them on a busy machine.
    pixels = frame.to_ndarray(format="rgb24", width=width, height=height, threads=1)
    return np.ascontiguousarray(np.rot90(pixels, k=-(turn_deg // 90)))
