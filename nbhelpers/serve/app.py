"""The application: one service, all routers, documentation that needs no network."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from nbhelpers import __version__
from nbhelpers.serve.limits import Limits
from nbhelpers.serve.measured import Measured
from nbhelpers.serve.predictor import Predictor
from nbhelpers.serve.refusals import add_handlers
from nbhelpers.serve.routers import ROUTERS
from nbhelpers.serve.service import Service

if TYPE_CHECKING:
    from nbhelpers.serve.generation.work import Generator

_ABOUT = """Says which operation a video shows, when it starts and ends, and what comes next.

Whatever is not answered has a status and one sentence why: 401 token, 408 slow upload, 413 too large or too
many, 415 no video, 422 a video or field that cannot be used, 429 all places taken, 503 not now. With 429 and
503 the header `Retry-After` says when to try again."""


def create_app(
    predictor: Predictor, limits: Limits | None = None, *, token: str | None = None,
    adapters: Path | None = None, adapter: Path | None = None, spool: Path | None = None,
    make_generator: "Callable[[Service], Generator] | None" = None,
) -> FastAPI:  # fmt: skip
    """The application around a loaded model; `app.state.service` is what its endpoints share.

    Args:
        predictor: the model; it is only called from one thread.
        limits: what requests may ask for; None is the defaults.
        token: bearer token that requests must carry; None opens the server to everyone who reaches it.
        adapters: folder of adapters that `PUT /adapter` may choose from.
        adapter: folder of the adapter that is on the model already.
        spool: where uploads lie while they are answered; None is the system's temporary folder.
        make_generator: makes what the endpoints that write code share, given the service whose measures and
            stop they take part in; None leaves them out.
    """
    service = Service(predictor, limits or Limits(), token, adapters, adapter, spool)
    generator = None if make_generator is None else make_generator(service)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            service.close()
            if generator is not None:
                generator.close()

    # Its pages take their scripts from the package itself; FastAPI's own would come from a public network.
    app = FastAPIOffline(title="nbhelpers", version=__version__, description=_ABOUT, lifespan=lifespan)
    app.state.service = service
    for router in ROUTERS:
        app.include_router(router)
    if generator is not None:
        from nbhelpers.serve.generation.app import add_generation

        add_generation(app, generator)
    add_handlers(app)
    app.add_middleware(Measured, measures=service.measures)
    return app
