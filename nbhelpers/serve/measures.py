"""What the server counts: for Prometheus, and for people in `GET /status`."""

import time
from collections import Counter as Counts
from collections import deque
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest

from nbhelpers.memory import read_memory

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_KEPT = 1000  # latencies that percentiles are of


class Present(Protocol):
    """Whatever knows how many requests are here and how many of them wait."""

    present: int
    waiting: int


class Measures:
    """Counts, latencies and gauges of one server; a registry of its own, so that two may live in one process.

    Attributes:
        counts: endpoint -> status -> requests.
    """

    def __init__(self, turns: "Present") -> None:
        self.began = time.time()
        self.counts: dict[str, Counts[int]] = {}
        self._latest: dict[str, deque[float]] = {}
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        make: Any = {"registry": self.registry, "namespace": "nbhelpers"}
        self._requests = Counter(
            "requests", "Requests by endpoint and status", ("endpoint", "status"), **make
        )
        self._seconds = Histogram(
            "request_seconds", "From first byte to answer", ("endpoint",), buckets=_SECONDS, **make
        )
        self._stages = Histogram(
            "stage_seconds", "Parts of a prediction", ("stage",), buckets=_SECONDS, **make
        )
        self._bytes = Counter("upload_bytes", "Bytes of received videos", **make)
        self._answers = Counter("answers", "What the model wrote: an answer or not", ("kind",), **make)
        Gauge("requests_present", "Received, waiting or answered now", **make).set_function(
            lambda: turns.present
        )
        Gauge("requests_waiting", "Waiting for a turn now", **make).set_function(lambda: turns.waiting)
        self._gpu = Gauge("gpu_free_bytes", "Free memory of a GPU", ("gpu",), **make)

    def request(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request that has ended."""
        self._requests.labels(endpoint, status).inc()
        self._seconds.labels(endpoint).observe(seconds)
        self.counts.setdefault(endpoint, Counts())[status] += 1
        if status == 200:
            self._latest.setdefault(endpoint, deque(maxlen=_KEPT)).append(seconds)

    def stages(self, **seconds: float) -> None:
        """Note how long the parts of a prediction took."""
        for stage, value in seconds.items():
            self._stages.labels(stage.removesuffix("_s")).observe(value)

    def upload(self, size_bytes: int) -> None:
        """Count a received video."""
        self._bytes.inc(size_bytes)

    def said(self, parsed: bool) -> None:
        """Count what the model wrote."""
        self._answers.labels("parsed" if parsed else "not_parsed").inc()

    def latencies(self) -> dict[str, dict[str, float]]:
        """Per endpoint median, 95th percentile and number of its last thousand answers, seconds."""
        import numpy as np

        found = {}
        for endpoint, kept in self._latest.items():
            p50, p95 = np.percentile(list(kept), [50, 95])
            found[endpoint] = {"p50_s": round(float(p50), 4), "p95_s": round(float(p95), 4), "n": len(kept)}
        return found

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        for board in read_memory().gpus:
            self._gpu.labels(str(board.index)).set(board.free_bytes)
        return generate_latest(self.registry)
