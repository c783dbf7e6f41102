"""200 requests from 16 clients, bad files among them: every good one is answered, memory stays flat."""

import random
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import psutil
import pytest
from test_serve_command import serving

MIB = 1 << 20
CLIENTS = 16
# What is sent and what must come back; a third of it is bad.
BAD = {"zero": 422, "text": 415, "playlist": 415, "truncated": 422, "audio": 422, "long": 422, "large": 413}


def mixture(count, seed=0):
    """Kinds of requests in a drawn order: two thirds good, one in ten of those a batch."""
    draw = random.Random(seed)
    kinds = [*BAD] * (count // 3 // len(BAD) + 1)
    kinds = kinds[: count // 3]
    kinds += ["batch" if number % 10 == 0 else "good" for number in range(count - len(kinds))]
    draw.shuffle(kinds)
    return kinds


def ask(client, kind, drawn, bad, number):
    """Status, seconds on the server, the sum of the batch."""
    good = drawn[number % len(drawn)]
    if kind == "batch":
        files = [("videos", ("a.mp4", good)), ("videos", ("b.mp4", bad["zero"])), ("videos", ("c.mp4", good))]
        answer = client.post("/batch_predict", files=files)
        results = answer.json().get("results", [])
        assert [("answer" in one) for one in results] == [True, False, True], answer.text
    else:
        data = good if kind == "good" else bad[kind]
        answer = client.post("/predict", files={"video": (f"{kind}.mp4", data)})
    if kind == "good":
        assert answer.status_code == 200, answer.text
        assert answer.json()["answer"] is not None
    assert answer.status_code == BAD.get(kind, 200), (kind, answer.text)
    return kind, answer.elapsed.total_seconds()


def round_of(url, kinds, drawn, bad):
    with (
        httpx.Client(base_url=url, timeout=600, limits=httpx.Limits(max_connections=CLIENTS)) as client,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        work = [clients.submit(ask, client, kind, drawn, bad, number) for number, kind in enumerate(kinds)]
        return [one.result() for one in work]


@pytest.mark.slow
def test_200_requests_from_16_clients(tmp_path, drawn, bad):
    """Memory is compared after a first round, which fills allocators and caches, and after the 200."""
    videos = [video.path.read_bytes() for video in drawn.videos]
    options = ["--upload-mib", 1, "--video-s", 40, "--spool", tmp_path, "--wait-s", 600]
    with serving(*options) as server:
        process = psutil.Process(server.process.pid)
        round_of(server.url, mixture(50, seed=1), videos, bad)
        before = process.memory_info().rss
        answers = round_of(server.url, mixture(200), videos, bad)
        after = process.memory_info().rss
        status = httpx.get(f"{server.url}/status").json()
        assert [list(folder.iterdir()) for folder in tmp_path.iterdir()] == [[]]
    good = [seconds for kind, seconds in answers if kind == "good"]
    p50, p95 = np.percentile(good, [50, 95])
    grown = (after - before) / MIB
    print(
        f"\n{len(answers)} requests, {len(good)} single good ones: p50 {p50:.2f} s, p95 {p95:.2f} s at "
        f"{CLIENTS} clients; as /status has it {status['latencies']['/predict']}; "
        f"memory {before / MIB:.0f} -> {after / MIB:.0f} MiB"
    )
    assert len(answers) == 200
    assert len(good) >= 110
    assert status["counts"]["/predict"].get("500", 0) == 0
    assert (status["present"], status["waiting"]) == (0, 0)
    assert grown < 16  # of 1,000; were their frames kept, it would be 200 x 8 x 85 kB: 130 MiB
