"""Around every request: its time and status are counted, and no error leaves without an answer."""

import time

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nbhelpers.serve.measures import Measures
from nbhelpers.serve.refusals import of_error

CLIENT_GONE = 499  # nobody reads it; it counts requests whose client left (the number is nginx's)


class Measured:
    """ASGI middleware; plain, because Starlette's `BaseHTTPMiddleware` hides that a client has left."""

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self.app, self.measures = app, measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, counted, began = 0, False, time.perf_counter()

        def count(last: int) -> None:
            nonlocal counted
            if not counted:
                route = getattr(scope.get("route"), "path", "other")
                self.measures.request(route, last, time.perf_counter() - began)
            counted = True

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not message.get("more_body"):
                count(status)  # before the client has it: who asks then finds it counted
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except ClientDisconnect:
            count(CLIENT_GONE)
        except Exception as error:
            if status:  # the answer has begun; all that is left is to break it off
                raise
            await of_error(error).response()(scope, receive, watched)
        finally:
            count(status or CLIENT_GONE)
