"""The work of the generate endpoints: one request at a time per worker, the rest wait in a bounded queue."""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import Depends, Request
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from nbhelpers.artifacts import plain, sha256_value
from nbhelpers.codegen.checks import QUICK, STEPS
from nbhelpers.codegen.parse import Understood
from nbhelpers.codegen.rungs import Generation, generate, make_writers
from nbhelpers.codegen.templates import revision
from nbhelpers.codegen.writers import ORDERS, Rung, Writer, Written
from nbhelpers.errors import BadInput
from nbhelpers.serve.generation.counted import Counted
from nbhelpers.serve.generation.history import History
from nbhelpers.serve.generation.kept import open_kept
from nbhelpers.serve.measures import Measures
from nbhelpers.serve.refusals import Refusal
from nbhelpers.settings import Settings

_FIRST_S, _OTHER_S = 7 * 86_400.0, 600.0  # what a lower rung wrote is asked for again sooner


@dataclass(frozen=True)
class Bounds:
    """How much the generate endpoints take.

    Attributes:
        rate: requests of one user, as `limits` writes it.
        workers: requests being answered at once.
        places: requests waiting or being answered at once; one more is refused with 429.
        rate_storage: where rates are counted: `memory://`, or a Redis server for several processes.
    """

    rate: str = "60/minute"
    workers: int = 2
    places: int = 64
    rate_storage: str = "memory://"


class Queue:
    """Who is here and who waits, as the server's measures read it."""

    def __init__(self, stopping: asyncio.Event | None = None) -> None:
        self.present = self.waiting = 0
        self.stopping = stopping or asyncio.Event()


class Generator:
    """Everything the generate endpoints share.

    Args:
        settings: the profile; its `codegen` section says which strategies there are.
        secret: signs the users' tokens.
        history: URL of the database of generations.
        kept: folder or Redis URL of kept results.
        bounds: of requests.
        device: as `runtime.choose_device` takes it.
        token: asked of who reads `/metrics`; None leaves them open.
        measures: of a server that this is part of; None makes its own.
        stopping: set where that server is told to stop; None makes its own.

    Attributes:
        turns: who is here; of the name by which a server's own queue goes.
    """

    def __init__(
        self, settings: Settings, secret: str, *, history: str, kept: str, bounds: Bounds | None = None,
        device: str = "auto", token: str | None = None, measures: Measures | None = None,
        stopping: asyncio.Event | None = None,
    ) -> None:  # fmt: skip
        self.settings, self.secret, self.token = settings, secret, token
        self.bounds, self.turns = bounds or Bounds(), Queue(stopping)
        self.history, self._kept = History(history), open_kept(kept)
        self._rate, self._limiter = _limiter(self.bounds)
        self.measures = measures or Measures(self.turns)
        self.counted = Counted(self.measures.registry)
        self._workers = ThreadPoolExecutor(self.bounds.workers, "nbhelpers-generate")
        made = make_writers(settings, device=device, say=_quiet)
        self._writers: dict[Rung, Writer] = {one.rung: _OneAtATime(one) for one in made}

    def allow(self, user: str) -> None:
        """Count a request of a user.

        Raises:
            Refusal: 429: there were too many of late.
        """
        if self._limiter.hit(self._rate, user):
            return
        self.counted.refused()
        reset = self._limiter.get_window_stats(self._rate, user).reset_time
        raise Refusal(429, f"more than {self._rate} of this user; wait a little", reset - time.time())

    async def answer(self, user: str, understood: Understood, order: str, quick: bool) -> dict[str, Any]:
        """Generate, or take what was kept, and note it in the user's history.

        Raises:
            Refusal: 429 where every place is taken, 503 where the server stops.
        """
        if self.turns.stopping.is_set():
            raise Refusal(503, "the server is stopping; try again in a moment", 10)
        if self.turns.present >= self.bounds.places:
            raise Refusal(429, f"{self.turns.present} requests are here, which is all this server takes", 5)
        self.turns.present += 1
        self.turns.waiting += 1
        try:
            loop = asyncio.get_running_loop()
            steps = QUICK if quick else STEPS
            return await loop.run_in_executor(self._workers, self._work, user, understood, order, steps, loop)
        finally:
            self.turns.present -= 1

    def _work(
        self,
        user: str,
        understood: Understood,
        order: str,
        steps: Sequence[str],
        loop: asyncio.AbstractEventLoop,
    ) -> dict[str, Any]:
        loop.call_soon_threadsafe(self._begins)
        began = time.perf_counter()
        key = self.key(understood, order, steps)
        kept = self._kept.get(key)
        found: dict[str, Any] = kept or self._generated(understood, order, steps)
        answer = found | {
            "id": uuid4().hex, "created": datetime.now(UTC).isoformat(), "cached": kept is not None,
            "seconds": round(time.perf_counter() - began, 4),
        }  # fmt: skip
        if kept is None and found["passed"]:
            first = found["strategy"] == ORDERS[order][0]
            self._kept.set(key, found, _FIRST_S if first else _OTHER_S)
        self.history.add(user, answer)
        self.counted.made(answer)
        return answer

    def _begins(self) -> None:
        self.turns.waiting -= 1

    def _generated(self, understood: Understood, order: str, steps: Sequence[str]) -> dict[str, Any]:
        writers = [self._writers[rung] for rung in ORDERS[order]]
        found = generate(
            understood.request, self.settings.codegen, writers, steps=steps, keep=True, say=_quiet
        )
        return _answer(understood, found)

    def key(self, understood: Understood, order: str, steps: Sequence[str]) -> str:
        """What a result depends on: models and their revisions and packing, request, settings, templates."""
        parts = {
            "models": _models(self.settings), "templates": revision(), "request": understood.request,
            "settings": self.settings.codegen, "order": order, "steps": list(steps),
        }  # fmt: skip
        return sha256_value(parts)

    def close(self) -> None:
        """Finish what is being answered, then give everything back."""
        self._workers.shutdown(wait=True, cancel_futures=True)
        for writer in self._writers.values():
            writer.close()
        self._kept.close()
        self.history.close()


class _OneAtATime:
    """A strategy that several workers share."""

    def __init__(self, writer: Writer) -> None:
        self._writer, self._lock = writer, threading.Lock()
        self.rung = writer.rung

    def write(self, *given: Any) -> Written:
        if self.rung == "template":
            return self._writer.write(*given)
        with self._lock:
            return self._writer.write(*given)

    def close(self) -> None:
        with self._lock:
            self._writer.close()


def _limiter(bounds: Bounds) -> tuple[Any, MovingWindowRateLimiter]:
    try:
        return parse(bounds.rate), MovingWindowRateLimiter(storage_from_string(bounds.rate_storage))
    except Exception as error:  # the library's errors, and those of its drivers, have no common class
        raise BadInput(f"--rate {bounds.rate} in {bounds.rate_storage}: cannot be used ({error})") from None


def _models(settings: Settings) -> list[tuple[str, str]]:
    """Names and revisions of what may write here; a model that is not here has none yet."""
    from nbhelpers.models import catalog, chain
    from nbhelpers.models.hub import locate
    from nbhelpers.models.rungs import Refused

    code = settings.codegen
    names = chain("code", settings.built_in) if code.model == "auto" else [code.model]
    found = [(code.hosted.model or "", code.hosted.base_url or code.hosted.provider)]
    for name in names:
        try:
            entry = catalog().get(name)
            repo = "" if entry is None or entry.is_twin else entry.id
            found.append((name, locate(name, repo).revision))
        except Refused as refused:
            found.append((name, refused.kind))
    return found


def _answer(understood: Understood, found: Generation) -> dict[str, Any]:
    """The part of an answer that can be kept."""
    chosen = found.chosen
    last = next((one.ladder for one in reversed(found.attempts) if one.ladder is not None), None)
    tried = [
        {
            "strategy": one.rung, "outcome": one.outcome, "reason": one.reason,
            "model": one.identity.name if one.identity else None,
            "seconds": round(one.write_s + one.check_s, 4),
        }
        for one in found.attempts
    ]  # fmt: skip
    steps = [plain(step) for step in last.steps] if last else []
    return {
        "framework": found.request.framework, "strategy": chosen.rung if chosen else None, "passed": found.ok,
        "understood": plain(understood.notes), "attempts": tried,
        "checks": [{name: one[name] for name in ("name", "verdict", "reason", "seconds")} for one in steps],
        "isolation": str(last.isolation) if last else "",
        "files": dict(chosen.project.files) if chosen and chosen.project else {},
    }  # fmt: skip


def _quiet(line: str) -> None:
    """What was tried is in the answer."""


def generator_of(request: Request) -> Generator:
    """The generator of the application a request came to."""
    found: Generator = request.app.state.generator
    return found


Generating = Annotated[Generator, Depends(generator_of)]
