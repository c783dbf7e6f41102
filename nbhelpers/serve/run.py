"""Run a server until it is told to stop."""

import signal
import socket
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

_GRACE_S = 30  # what is being answered when the server is told to stop may take this long


class _Server(uvicorn.Server):
    """uvicorn, which tells the service when it is asked to stop: those who wait need not wait in vain."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Remember the signal."""
        self.config.app.state.service.turns.stopping.set()  # type: ignore[union-attr]
        super().handle_exit(sig, frame)


def run_server(
    app: "FastAPI", host: str = "127.0.0.1", port: int = 8000, ready: "Callable[[str], None] | None" = None
) -> None:
    """Serve until SIGTERM or SIGINT; then nothing new is taken, and what has its turn is finished.

    Args:
        app: from `create_app`.
        host: address to listen on; `0.0.0.0` is every one of this machine.
        port: 0 takes a free one.
        ready: called with the address when it listens.

    Raises:
        BadInput: the address cannot be listened on.
    """
    listening = _listen(host, port)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE_S)
    shown = f"[{host}]" if ":" in host else host
    if ready is not None:
        ready(f"http://{shown}:{listening.getsockname()[1]}")
    # uvicorn raises the signal again when it is done, so that the process would end by it: here it is over.
    before = {one: signal.signal(one, _ignore) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        _Server(config).run([listening])
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _ignore(number: int, frame: FrameType | None) -> None:
    """The server has stopped cleanly by then."""


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128
        )
    except OSError as error:
        reason = f"cannot be listened on ({error.strerror or error})"
        raise BadInput(f"--host {host} --port {port}: {reason}; name another one") from None
