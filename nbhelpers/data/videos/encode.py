"""Frames to an MP4 file of H.264."""

import io
from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from nbhelpers.errors import BadInput

CRF = 16  # x264's quality: at 168 pixels no answer of the twin changed with it; 23 is the library's own


def encode_video(
    frames: Iterable[np.ndarray], fps: float, *, crf: int = CRF, keyframe_s: float = 1.0
) -> bytes:
    """Encode frames as one MP4; the same frames give the same bytes.

    Args:
        frames: (H, W, 3) uint8 RGB each, of one size with even sides.
        fps: frames per second; frame k is shown at k / fps.
        crf: quality, 0 (lossless) to 51; lower is better and larger.
        keyframe_s: seconds between frames at which decoding can start.

    Raises:
        BadInput: no frame, or frames of odd or different sizes.
    """
    import av

    buffer, stream, shape = io.BytesIO(), None, None
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(buffer, "w", format="mp4") as container:
        for number, pixels in enumerate(frames):
            if stream is None:
                shape = pixels.shape
                stream = _stream(container, rate, shape, crf, max(1, round(keyframe_s * fps)))
            elif pixels.shape != shape:
                raise BadInput(f"encode_video: frame {number} is {pixels.shape}, the first is {shape}")
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        if stream is None:
            raise BadInput("encode_video: there is no frame to encode")
        container.mux(stream.encode())
    return buffer.getvalue()


def _stream(container: "object", rate: Fraction, shape: tuple[int, ...], crf: int, gop: int) -> "object":
    height, width = shape[:2]
    if height % 2 or width % 2:
        raise BadInput(f"encode_video: frames of {width}x{height}; H.264 wants even sides")
    # One thread: the bytes do not depend on the machine. Two B-frames: what cameras' files have too.
    options = {"crf": str(crf), "preset": "veryfast", "threads": "1", "bf": "2", "g": str(gop)}
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = 1 / rate
    return stream
