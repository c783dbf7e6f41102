"""The real twin, and videos good and bad."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from serving import Running, running

from nbhelpers.data.videos import VideoSet, make_videos
from nbhelpers.video import VideoPredictor


@pytest.fixture(scope="session")
def predictor() -> VideoPredictor:
    return VideoPredictor.load("tiny/qwen2.5-vl", device="cpu")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> VideoSet:
    return make_videos(tmp_path_factory.mktemp("drawn"), count=4, seed=5, world="base", duration_s=11, jobs=1)


@pytest.fixture(scope="session")
def good(drawn) -> tuple[str, bytes]:
    return "good.mp4", drawn.videos[0].path.read_bytes()


@pytest.fixture(scope="session")
def bad(tmp_path_factory, good) -> dict[str, bytes]:
    """Files that cannot be answered, by what is wrong with them."""
    folder = tmp_path_factory.mktemp("bad")
    return {
        "zero": b"",
        "text": b"this is a text that somebody called a video\n" * 50,
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "truncated": good[1][: len(good[1]) // 2],
        "audio": _audio_only(folder / "audio.mp4"),
        "long": _still(folder / "long.mp4", seconds=45, side=32, fps=1),
        "short": _still(folder / "short.mp4", seconds=0.5, side=32, fps=10),
        "wide": _still(folder / "wide.mp4", seconds=4, side=1024, fps=2),
        "large": good[1] + b"\0" * (1 << 20),
    }


def _still(path: Path, seconds: float, side: int, fps: int) -> bytes:
    from nbhelpers.data.videos.encode import encode_video

    return encode_video((np.full((side, side, 3), 90, np.uint8) for _ in range(round(seconds * fps))), fps)


def _audio_only(path: Path) -> bytes:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        for _ in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate = 16000
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


@pytest.fixture(scope="module")
def server(predictor) -> Iterator[Running]:
    with running(predictor) as up:
        yield up
