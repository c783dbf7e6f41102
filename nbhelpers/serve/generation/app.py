"""The application that only generates code; `serve.create_app` takes a generator beside a video model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel

from nbhelpers import __version__
from nbhelpers.serve.generation.router import page_router, router
from nbhelpers.serve.generation.work import Generator
from nbhelpers.serve.measured import Measured
from nbhelpers.serve.refusals import add_handlers
from nbhelpers.serve.routers import metrics

_ABOUT = """Writes small programs for requests in words and checks them by running them.

Whatever is not answered has a status and one sentence why: 401 token, 422 a request that cannot be used, 429
too many requests of this user or of all, 503 not now."""


class Alive(BaseModel):
    """Whether the server takes requests."""

    status: str
    present: int
    waiting: int


def create_generation_app(generator: Generator) -> FastAPI:
    """The application around a generator, with `/`, `/health` and `/metrics`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            generator.close()

    app = FastAPIOffline(title="nbhelpers", version=__version__, description=_ABOUT, lifespan=lifespan)
    app.state.service = generator  # what `run_server`, `/metrics` and its token read
    add_generation(app, generator)
    app.include_router(metrics.router)

    @app.get("/health", tags=["state"])
    def health() -> Alive:
        """200 while requests are taken; open to everyone, because probes carry no token."""
        turns = generator.turns
        status = "stopping" if turns.stopping.is_set() else "ok"
        return Alive(status=status, present=turns.present, waiting=turns.waiting)

    add_handlers(app)
    app.add_middleware(Measured, measures=generator.measures)
    return app


def add_generation(app: FastAPI, generator: Generator) -> None:
    """Add the generate endpoints and their page to an application."""
    app.state.generator = generator
    app.include_router(router)
    app.include_router(page_router)
