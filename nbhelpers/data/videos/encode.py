"""Frames to an MP4 file of H.264."""

import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from nbhelpers.errors import BadInput

CRF = 20
_TICKS = 90_000  # per second, where frames have times of their own


def encode_video(
    frames: Iterable[np.ndarray],
    fps: float,
    *,
    crf: int = CRF,
    keyframe_s: float = 1.0,
    times_s: Sequence[float] | np.ndarray | None = None,
) -> bytes:
    """Encode frames as one MP4; the same frames give the same bytes.

    Args:
        frames: (H, W, 3) uint8 RGB each, of one size with even sides.
        fps: frames per second; without `times_s`, frame k is shown at k / fps.
        crf: quality of x264, 0 (lossless) to 51; lower is better and larger.
        keyframe_s: seconds between frames at which decoding can start.
        times_s: when each frame is shown, ascending; counted from the first.

    Raises:
        BadInput: no frame, or frames of odd or different sizes.
    """
    import av

    buffer, stream, shape = io.BytesIO(), None, (0, 0, 0)
    rate = Fraction(fps).limit_denominator(1001)
    tick = 1 / rate if times_s is None else Fraction(1, _TICKS)
    with av.open(buffer, "w", format="mp4") as container:
        for number, pixels in enumerate(frames):
            if stream is None:
                shape = pixels.shape
                stream = _stream(container, rate, shape, crf, max(1, round(keyframe_s * fps)))
                stream.time_base = stream.codec_context.time_base = tick
            elif pixels.shape != shape:
                raise BadInput(f"encode_video: frame {number} is {pixels.shape}, the first is {shape}")
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.time_base = tick
            frame.pts = number if times_s is None else round((times_s[number] - times_s[0]) * _TICKS)
            container.mux(stream.encode(frame))
        if stream is None:
            raise BadInput("encode_video: there is no frame to encode")
        container.mux(stream.encode())
    return buffer.getvalue()


def _stream(container: Any, rate: Fraction, shape: tuple[int, ...], crf: int, gop: int) -> Any:
    height, width = shape[:2]
    if height % 2 or width % 2:
        raise BadInput(f"encode_video: frames of {width}x{height}; H.264 wants even sides")
    # One thread and no "macroblock tree", which reads memory that nobody wrote: the same frames give the
    # same bytes. Two B-frames: cameras' files have them too.
    options = {
        "crf": str(crf), "preset": "veryfast", "threads": "1", "mbtree": "0", "bf": "2", "g": str(gop)
    }  # fmt: skip
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    return stream
