"""What generation adds to the server's measures."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Counted:
    """Counts of generations, in the registry of the server that has them.

    Args:
        registry: of the server.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        make: Any = {"registry": registry, "namespace": "nbhelpers"}
        self._made = Counter(
            "generations", "Generations by framework and strategy", ("framework", "strategy", "cached"),
            **make,
        )  # fmt: skip
        self._tries = Counter(
            "generation_attempts", "Tries by strategy and outcome", ("strategy", "outcome"), **make
        )
        self._seconds = Histogram(
            "generation_seconds",
            "From request to answer, waiting left out",
            ("framework",),
            buckets=_SECONDS,
            **make,
        )
        self._refused = Counter("generation_refusals", "Requests over a user's rate", **make)

    def made(self, answer: dict[str, Any]) -> None:
        """Count an answer."""
        self._made.labels(
            answer["framework"], answer["strategy"] or "none", str(answer["cached"]).lower()
        ).inc()
        self._seconds.labels(answer["framework"]).observe(answer["seconds"])
        for one in [] if answer["cached"] else answer["attempts"]:
            self._tries.labels(one["strategy"], one["outcome"]).inc()

    def refused(self) -> None:
        """Count a request over the rate."""
        self._refused.inc()
