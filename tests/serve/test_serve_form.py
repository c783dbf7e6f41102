"""Forms in any pieces give the same files; containers by their first bytes."""

import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbhelpers.errors import BadInput
from nbhelpers.serve import Limits
from nbhelpers.serve.containers import container_of
from nbhelpers.serve.form import Form
from nbhelpers.serve.refusals import Refusal

CONTENTS = st.binary(max_size=300) | st.sampled_from(
    [b"", b"\r\n", b"--b\r\n", b"\r\n--", b"\r\n--boundar", b"\0" * 70]
)


def body_of(files, fields):
    request = httpx.Request(
        "POST", "http://x", files=[("videos", (name, data)) for name, data in files], data=fields
    )
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    return request.read(), boundary


@settings(max_examples=60, deadline=None)
@given(
    contents=st.lists(CONTENTS, min_size=1, max_size=4),
    value=st.text(max_size=30),
    cuts=st.lists(st.integers(0, 2000), max_size=12),
)
def test_pieces_do_not_matter(contents, value, cuts):
    body, boundary = body_of([(f"{k}.mp4", data) for k, data in enumerate(contents)], {"at_s": value})
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    with tempfile.TemporaryDirectory() as folder:
        form = Form(boundary, Path(folder), Limits(), "videos", 4)
        for start, end in pairwise(edges):
            form.write(body[start:end])
        files = form.finish()
        assert [file.path.read_bytes() for file in files] == contents
        assert [file.size_bytes for file in files] == [len(data) for data in contents]
        assert [file.name for file in files] == [f"{k}.mp4" for k in range(len(contents))]
        assert form.fields == {"at_s": value}


@pytest.mark.parametrize("size", [1024, 1025])
def test_the_limit_is_the_largest_file_that_is_taken(tmp_path, size):
    limits = replace(Limits(), upload_mib=1 / 1024)
    body, boundary = body_of([("a.mp4", b"x" * size)], {})
    form = Form(boundary, tmp_path, limits, "videos", 1)
    if size <= 1024:
        form.write(body)
        assert form.finish()[0].size_bytes == size
        return
    with pytest.raises(Refusal, match="too large") as refused:
        form.write(body)
    form.close()
    assert refused.value.status == 413


def test_a_form_that_was_cut_is_not_taken(tmp_path):
    body, boundary = body_of([("a.mp4", b"x" * 100)], {})
    form = Form(boundary, tmp_path, Limits(), "videos", 1)
    form.write(body[:-4])
    with pytest.raises(Refusal, match="last boundary"):
        form.finish()
    form.close()


def test_containers_of_real_files(shared_data):
    videos = shared_data / "video"
    for name in ("ppe_cctv_workers.mp4", "nasa_13013.mp4", "rotated_90.mov"):
        assert "QuickTime" in container_of(videos / name)
    for path in [*(shared_data / "photos").iterdir(), *(shared_data / "text").rglob("*.txt")]:
        if path.is_file():
            assert container_of(path) is None, path


@pytest.mark.parametrize("form", ["matroska", "webm", "avi", "mpegts", "mpeg", "flv", "ogg", "mov", "asf"])
def test_containers_that_ffmpeg_writes(tmp_path, form):
    import av
    import numpy as np

    path = tmp_path / "x"
    codec = {"webm": "libvpx", "ogg": "libvpx", "flv": "flv", "mpeg": "mpeg1video"}.get(form, "mpeg4")
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width = stream.height = 64
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert container_of(path) is not None


@pytest.mark.parametrize(
    ("name", "value"), [("upload_mib", 0), ("places", -1), ("wait_s", float("nan")), ("frames", 7)]
)
def test_limits_are_checked(name, value):
    with pytest.raises(BadInput, match=name):
        Limits(**{name: value})
