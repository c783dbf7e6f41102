"""Who is answered when: places that bound how many are there, turns that bound how many hold memory."""

import asyncio
import functools
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import anyio
from fastapi import Request
from starlette.requests import ClientDisconnect

from nbhelpers.serve.limits import Limits
from nbhelpers.serve.refusals import Refusal

T = TypeVar("T")
_AT_ONCE = 2  # one whose frames are read while the model answers the other


class Turns:
    """The queue of one model.

    A request takes a place before its upload is read, then waits for a turn, first come first served. The
    model is only ever called from one thread, so that two requests never need its memory at once.

    Args:
        limits: places and waiting time.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._near = anyio.Semaphore(_AT_ONCE)
        self._model = ThreadPoolExecutor(1, "nbhelpers-model")
        # Threads of their own and always the same: each thread that ever decodes keeps some heap.
        self._readers = ThreadPoolExecutor(_AT_ONCE, "nbhelpers-reader")
        self._took_s: deque[float] = deque([1.0], maxlen=20)
        self.stopping = asyncio.Event()
        self.present = self.waiting = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Be one of the requests that are here.

        Raises:
            Refusal: 429 where every place is taken, 503 where the server stops.
        """
        if self.stopping.is_set():
            raise _stopping()
        if self.present >= self._limits.places:
            reason = f"{self.present} requests are being answered or waiting, which is all this server takes"
            raise Refusal(429, f"{reason}; try again later", self.expected_s())
        self.present += 1
        try:
            yield
        finally:
            self.present -= 1

    def expected_s(self) -> float:
        """How long those who are here will take, by what the last ones took; at most two minutes."""
        return min(120.0, self.present * sum(self._took_s) / len(self._took_s))

    @asynccontextmanager
    async def turn(self, request: Request) -> AsyncIterator[None]:
        """Wait for a turn and keep it during the block.

        Raises:
            Refusal: 503 where it did not come in time or the server stops.
            ClientDisconnect: the client left while it waited.
        """
        await self._wait(request)
        began = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            self._near.release()
            self._took_s.append((asyncio.get_running_loop().time() - began) / _AT_ONCE)

    async def _wait(self, request: Request) -> None:
        mine = gone = False

        async def leave() -> None:
            nonlocal gone
            while (await request.receive())["type"] != "http.disconnect":
                pass
            gone = True
            group.cancel_scope.cancel()

        async def stop() -> None:
            await self.stopping.wait()
            group.cancel_scope.cancel()

        self.waiting += 1
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(leave)
                group.start_soon(stop)
                with anyio.move_on_after(self._limits.wait_s):
                    await self._near.acquire()
                    mine = True
                group.cancel_scope.cancel()
        finally:
            self.waiting -= 1
        if mine and not gone:
            return
        if mine:
            self._near.release()
        if gone:
            raise ClientDisconnect
        if self.stopping.is_set():
            raise _stopping()
        raise Refusal(
            503, f"no turn came within {self._limits.wait_s:g} s; try again later", self.expected_s()
        )

    async def in_model_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """Call `work` where the model is, after what is being done there now."""
        return await _in(self._model, work, *arguments)

    async def in_reader_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """Call `work`, which reads a video, beside the model."""
        return await _in(self._readers, work, *arguments)

    def close(self) -> None:
        """Wait for the threads to finish what they do, and end them."""
        for threads in (self._readers, self._model):
            threads.shutdown(wait=True, cancel_futures=True)


async def _in(threads: ThreadPoolExecutor, work: Callable[..., T], *arguments: object) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, functools.partial(work, *arguments))


def _stopping() -> Refusal:
    return Refusal(503, "the server is stopping; try again in a moment", 10)
