"""A real server on a real socket, in a thread of the tests' process, and clients for it."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from nbhelpers.serve import Limits, create_app

LIMITS = Limits(upload_mib=1, video_s=40, megapixels=0.5, files=5, places=8, together=2)


class Server(uvicorn.Server):
    """Remembers its loop."""

    async def startup(self, sockets=None):
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)


class Running:
    """A server that is up: where it is, its service, a client for it."""

    def __init__(self, app, server, url):
        self.service, self.server, self.url = app.state.service, server, url
        self.client = httpx.Client(base_url=url, timeout=300)

    def post(self, path, *files, field="video", fields=None, **more):
        sent = [(field, (name, data, "video/mp4")) for name, data in files]
        return self.client.post(path, files=sent, data=fields or {}, **more)

    def loop_call(self, function):
        """Call something in the server's own loop."""
        self.server.loop.call_soon_threadsafe(function)

    def left(self):
        """What lies in the folder of the uploads."""
        return list(self.service.spool.folder.iterdir())


@contextmanager
def running(predictor, limits=LIMITS, **options) -> Iterator[Running]:
    with served(create_app(predictor, limits, **options)) as up:
        yield up


@contextmanager
def served(app) -> Iterator[Running]:
    """An application on a free port, in a thread."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=20))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    up = Running(app, server, f"http://127.0.0.1:{listening.getsockname()[1]}")
    try:
        until(lambda: server.started)
        yield up
    finally:
        up.client.close()
        server.should_exit = True
        thread.join()


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


class Held:
    """The real predictor, which waits for a gate before it answers."""

    def __init__(self, predictor):
        self._predictor, self.gate, self.asked = predictor, threading.Event(), 0

    def __getattr__(self, name):
        return getattr(self._predictor, name)

    def predict(self, clips, constrained=False):
        self.asked += len(clips)
        assert self.gate.wait(120)
        return self._predictor.predict(clips, constrained)
