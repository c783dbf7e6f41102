"""One request, down the rungs: each strategy is tried until the checks are content with what one wrote."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nbhelpers.codegen.checks import STEPS, Ladder, check_project
from nbhelpers.codegen.contain import Limits
from nbhelpers.codegen.hosted import HostedWriter
from nbhelpers.codegen.local import LocalWriter
from nbhelpers.codegen.project import Project
from nbhelpers.codegen.request import CodeRequest
from nbhelpers.codegen.writers import ORDERS, RETRIED, Identity, Kind, Left, Rung, TemplateWriter, Writer
from nbhelpers.runtime.tables import text_table

if TYPE_CHECKING:
    from nbhelpers.settings import CodegenSection, RungSettings, Settings

_LONGEST_WAIT_S = 20.0


@dataclass(frozen=True)
class Attempt:
    """One try of one strategy.

    Attributes:
        rung: `local`, `hosted` or `template`.
        outcome: `passed`, `failed` by its checks, `left` where nothing was written; `written` before checks.
        reason: one sentence.
        kind: why it was left, for programs.
        identity: who wrote; None where nobody did.
        project: what was written.
        ladder: what the checks found.
        tokens: that were written.
        write_s: seconds of writing, loading a model included.
        peak_bytes: memory that writing took.
    """

    rung: Rung
    outcome: str
    reason: str
    kind: Kind | None = None
    identity: Identity | None = None
    project: Project | None = None
    ladder: Ladder | None = None
    tokens: int = 0
    write_s: float = 0.0
    peak_bytes: int = 0

    @property
    def check_s(self) -> float:
        """Seconds of checking."""
        return self.ladder.seconds if self.ladder else 0.0


@dataclass(frozen=True)
class Generation:
    """What became of a request: every attempt in its order; the last one passed, or none did."""

    request: CodeRequest
    attempts: tuple[Attempt, ...]
    seconds: float

    @property
    def chosen(self) -> Attempt | None:
        """The attempt whose program passed its checks."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.outcome == "passed" else None

    @property
    def ok(self) -> bool:
        """Whether there is a program that passed."""
        return self.chosen is not None

    def table(self) -> str:
        """The attempts as text."""
        rows = [
            (a.rung, a.identity.name if a.identity else "-", a.outcome, f"{a.write_s:.1f} s", a.reason[:110])
            for a in self.attempts
        ]
        return text_table(rows, ("strategy", "who", "outcome", "wrote in", "why"))


def make_writers(
    settings: "Settings", *, device: str = "auto", say: Callable[[str], None] = print
) -> tuple[Writer, ...]:
    """The strategies of a profile, in the order its `codegen.order` says."""
    code = settings.codegen
    made: dict[Rung, Callable[[], Writer]] = {
        "local": lambda: LocalWriter(
            code, settings.memory, profile=settings.built_in, device=device, say=say
        ),
        "hosted": lambda: HostedWriter(code),
        "template": TemplateWriter,
    }
    return tuple(made[rung]() for rung in ORDERS[code.order])


def generate(
    request: CodeRequest,
    settings: "CodegenSection",
    writers: Sequence[Writer],
    *,
    steps: Sequence[str] = STEPS,
    keep: bool = False,
    say: Callable[[str], None] = print,
) -> Generation:
    """Go down the strategies until one writes a program that passes its checks.

    Which of them can write is decided now, for this request: by free memory, tokens, the network. A
        strategy has
    its time limit and its further tries; what ends it is the verdict of the checks as much as an error.

    Args:
        request: what is wanted.
        settings: the `codegen` section.
        writers: strategies in their order.
        steps: checks that count, of `checks.STEPS`.
        keep: keep models in memory for the next request; else each is released as its turn ends.
        say: takes one line per attempt.
    """
    began, attempts = time.perf_counter(), list[Attempt]()
    for writer in writers:
        with ExitStack() as stack:
            if not keep:
                stack.enter_context(closing(writer))
            for attempt in _tries(writer, request, settings, steps):
                attempts.append(attempt)
                say(f"{attempt.rung}: {attempt.outcome}, {attempt.reason}")
                if attempt.outcome == "passed":
                    return Generation(request, tuple(attempts), time.perf_counter() - began)
    return Generation(request, tuple(attempts), time.perf_counter() - began)


def _tries(
    writer: Writer, request: CodeRequest, settings: "CodegenSection", steps: Sequence[str]
) -> "list[Attempt]":
    """All tries of one strategy, up to one that passes."""
    budget: RungSettings = getattr(settings, writer.rung)
    done: list[Attempt] = []
    spent = 0.0
    for number in range(1 + budget.retries):
        left_s = budget.time_limit_s - spent
        if left_s <= 0:
            break
        findings = done[-1].reason if done and done[-1].outcome == "failed" else ""
        written, wait_s = write_once(writer, request, number, findings, left_s)
        attempt = checked(written, request, settings, steps)
        done.append(attempt)
        spent += attempt.write_s
        again = attempt.kind in RETRIED if attempt.outcome == "left" else attempt.outcome == "failed"
        if not again or number == budget.retries or spent + wait_s >= budget.time_limit_s:
            break
        time.sleep(wait_s)
        spent += wait_s
    return done


def write_once(
    writer: Writer, request: CodeRequest, number: int = 0, findings: str = "", left_s: float = 120.0
) -> tuple[Attempt, float]:
    """One try, not checked yet (its outcome is `written`), and the seconds to wait before another.

    Args:
        writer: the strategy.
        request: what is wanted.
        number: of tries before.
        findings: of the checks about the last one.
        left_s: seconds it may take.
    """
    began = time.perf_counter()
    try:
        written = writer.write(request, number, findings, left_s)
    except Left as left:
        seconds = time.perf_counter() - began
        wait_s = left.retry_after_s if left.retry_after_s is not None else min(2.0**number, _LONGEST_WAIT_S)
        return Attempt(writer.rung, "left", left.reason, left.kind, write_s=seconds), wait_s
    attempt = Attempt(
        writer.rung, "written", "not checked yet", None, written.identity, written.project, None,
        written.tokens, time.perf_counter() - began, written.peak_bytes,
    )  # fmt: skip
    return attempt, 0.0


def checked(
    attempt: Attempt, request: CodeRequest, settings: "CodegenSection", steps: Sequence[str] = STEPS
) -> Attempt:
    """A try with the verdict of the checks; one that was left stays as it is."""
    if attempt.project is None:
        return attempt
    ladder = check_project(attempt.project, request, limits_of(settings), steps)
    outcome = "passed" if ladder.ok else "failed"
    return replace(attempt, outcome=outcome, reason=ladder.reason, ladder=ladder)


def limits_of(settings: "CodegenSection") -> Limits:
    """The limits of the contained child that the settings ask for."""
    return Limits(**settings.checks.model_dump())
