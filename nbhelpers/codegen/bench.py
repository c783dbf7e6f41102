"""Every strategy by itself over the same requests: how often it passes, how long it takes, what memory."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbhelpers.artifacts import Metric
from nbhelpers.codegen.checks import STEPS
from nbhelpers.codegen.request import CodeRequest
from nbhelpers.codegen.rungs import Attempt, checked, write_once
from nbhelpers.codegen.writers import Rung, Writer
from nbhelpers.metrics import proportion
from nbhelpers.runtime import progress

if TYPE_CHECKING:
    from nbhelpers.settings import CodegenSection


@dataclass(frozen=True)
class Measured:
    """One strategy over all requests.

    Attributes:
        rung: the strategy.
        attempts: the first try at each request; further tries are not part of a comparison.
    """

    rung: Rung
    attempts: tuple[Attempt, ...]

    @property
    def passed(self) -> Metric:
        """Share of requests whose first program passed every check, with a 95 % interval."""
        return proportion([one.outcome == "passed" for one in self.attempts])

    def share(self, step: str) -> Metric:
        """Share of requests whose first program passed one rung of the ladder."""
        verdicts = [one.ladder.verdict(step) if one.ladder else "skipped" for one in self.attempts]
        return proportion([verdict in {"passed", "absent"} for verdict in verdicts])

    @property
    def left(self) -> str:
        """Why it wrote nothing, where it did not."""
        reasons = [one.reason for one in self.attempts if one.outcome == "left"]
        return reasons[0] if reasons else ""

    @property
    def write_s(self) -> list[float]:
        """Seconds of writing, of the requests it wrote for; loading a model is in the first."""
        return [one.write_s for one in self.attempts if one.outcome != "left"]

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens written in a second; None where none are counted. The first request loads: left out."""
        rest = [one for one in self.attempts[1:] if one.tokens]
        return sum(one.tokens for one in rest) / sum(one.write_s for one in rest) if rest else None

    @property
    def peak_bytes(self) -> int:
        """Highest memory that writing took above what was in use before."""
        return max((one.peak_bytes for one in self.attempts), default=0)


def benchmark(
    requests: Sequence[CodeRequest],
    writers: Sequence[Writer],
    settings: "CodegenSection",
    steps: Sequence[str] = STEPS,
) -> list[Measured]:
    """Ask every strategy for every request, once; a strategy that cannot write is asked a single time.

    Args:
        requests: the same for all.
        writers: strategies; each is released when its turn ends.
        settings: the `codegen` section; its further tries are not made here.
        steps: checks to climb.
    """
    return [_measure(writer, requests, settings, steps) for writer in writers]


def _measure(
    writer: Writer, requests: Sequence[CodeRequest], settings: "CodegenSection", steps: Sequence[str]
) -> Measured:
    """Programs are checked while the next is written: a model keeps one core busy, programs another."""
    limit_s = getattr(settings, writer.rung).time_limit_s
    found: list[Future[Attempt]] = []
    shown = progress(total=len(requests), label=f"benchmark of {writer.rung}", unit="requests")
    with closing(writer), ThreadPoolExecutor(1, "nbhelpers-bench") as checker, shown as bar:
        for request in requests:
            attempt, _ = write_once(writer, request, left_s=limit_s)
            done = checker.submit(checked, attempt, request, settings, steps)
            found.append(done)
            if attempt.outcome == "left":
                break  # it will not find a token or memory between two requests
            done.add_done_callback(lambda _: bar.update())
        attempts = tuple(one.result() for one in found)
    return Measured(writer.rung, attempts)
