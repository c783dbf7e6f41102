"""Video files of every kind of trouble; each frame shows its own number, so that reading can be checked."""

import struct
from fractions import Fraction

import av
import numpy as np

BITS = 10


def numbered(number, width=64, height=48):
    """A frame with `number` written on it as ten black or white stripes."""
    frame = np.zeros((height, width, 3), np.uint8)
    for bit in range(BITS):
        if number >> bit & 1:
            frame[:, bit * width // BITS : (bit + 1) * width // BITS] = 255
    return frame


def number_of(pixels):
    """The number a frame shows."""
    columns = pixels.mean(axis=(0, 2))
    width = len(columns)
    middles = [columns[(2 * bit + 1) * width // (2 * BITS)] > 127 for bit in range(BITS)]
    return sum(int(on) << bit for bit, on in enumerate(middles))


def numbers_of(frames):
    return [number_of(pixels) for pixels in frames.pixels]


def write_video(
    path, count=40, fps=10, *, times_s=None, first=0, size=(64, 48), gop=10, bframes=2, turn=None,
    audio=False, options=None, codec="libx264", pix_fmt="yuv420p",
):  # fmt: skip
    """A file of numbered frames; the container is told by the path's suffix."""
    tick = Fraction(1, fps) if times_s is None else Fraction(1, 1000)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.time_base = stream.codec_context.time_base = tick
        if codec == "libx264":
            stream.options = {"g": str(gop), "bf": str(bframes), "crf": "12", "threads": "1"}
        if turn is not None:
            stream.set_display_rotation(turn)
        sound = container.add_stream("aac", rate=16000, layout="mono") if audio else None
        for k in range(count):
            frame = av.VideoFrame.from_ndarray(numbered(first + k, *size), format="rgb24")
            frame.time_base = tick
            frame.pts = k if times_s is None else round(times_s[k] * 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            _beep(container, sound)
    return path


def _beep(container, stream, seconds=1):
    wave = np.sin(np.arange(16000 * seconds) / 20).astype(np.float32)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
    frame.rate, frame.pts = 16000, 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode())


def write_audio(path):
    with av.open(str(path), "w") as container:
        _beep(container, container.add_stream("aac", rate=16000, layout="mono"))
    return path


def write_two_streams(path):
    """A small stream of 20 frames and a larger one of 30."""
    with av.open(str(path), "w") as container:
        streams = []
        for size in ((32, 32), (96, 64)):
            stream = container.add_stream("libx264", rate=10, options={"threads": "1", "crf": "12"})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            streams.append(stream)
        for stream, count in zip(streams, (20, 30), strict=True):
            for k in range(count):
                frame = av.VideoFrame.from_ndarray(numbered(k, stream.width, stream.height), format="rgb24")
                frame.pts, frame.time_base = k, Fraction(1, 10)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def write_no_frames(path):
    """A whole MP4 with a video stream in which nothing was ever recorded."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    return path


def cut(path, share, target=None):
    """The first part of a file."""
    target = target or path.with_name(f"cut_{path.name}")
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def patched(path, tag, offset, value, form="<I"):
    """A copy whose number `offset` bytes after a four-letter tag is another."""
    data = bytearray(path.read_bytes())
    place = data.index(tag) + offset
    data[place : place + struct.calcsize(form)] = struct.pack(form, value)
    copy = path.with_name(f"patched_{path.name}")
    copy.write_bytes(data)
    return copy
