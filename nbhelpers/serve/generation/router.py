"""`POST /generate/{framework}`, `GET /generations`, `GET /generations/{id}` and the page at `/`."""

from importlib import resources
from pathlib import Path as FilePath
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from nbhelpers.codegen.parse import parse_request
from nbhelpers.codegen.request import Framework
from nbhelpers.serve.generation.bodies import Generated, Summary, Wanted
from nbhelpers.serve.generation.users import User
from nbhelpers.serve.generation.work import Generating
from nbhelpers.serve.refusals import Refusal, refused

router = APIRouter(tags=["code"])
page_router = APIRouter(include_in_schema=False)
_PAGES = {
    "": ("page.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "page.css": ("page.css", "text/css"),
}
_SAFE = {
    # Nothing from elsewhere, nothing inline: a program that is shown cannot become part of the page.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@router.post("/generate/{framework}", responses=refused(401, 422, 429, 500, 503))
async def generate(framework: Framework, wanted: Wanted, work: Generating, user: User) -> Generated:
    """A small program for a request, checked by running it; strategies are tried until one passes."""
    work.allow(user)
    source: Any = wanted.spec if wanted.spec is not None else wanted.text
    understood = await anyio.to_thread.run_sync(parse_request, source, framework)
    order = wanted.order or work.settings.codegen.order
    return Generated(**await work.answer(user, understood, order, wanted.checks == "quick"))


@router.get("/generations", responses=refused(401))
def generations(
    work: Generating,
    user: User,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    skip: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> list[Summary]:
    """What this user asked for, the latest first."""
    return [Summary(**one) for one in work.history.listed(user, limit, skip)]


@router.get("/generations/{generation}", responses=refused(401, 404))
def generation(
    work: Generating, user: User, generation: Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
) -> Generated:
    """One of them, as it was answered."""
    found = work.history.one(user, generation)
    if found is None:
        raise Refusal(404, "there is no such generation of this user; GET /generations lists them")
    return Generated(**found)


@page_router.get("/")
def page() -> Response:
    """A page to ask and read results; it talks to the endpoints beside it, with the user's token."""
    return _file("")


@page_router.get("/page.js")
def script() -> Response:
    """What the page does."""
    return _file("page.js")


@page_router.get("/page.css")
def look() -> Response:
    """How the page looks."""
    return _file("page.css")


def _file(name: str) -> Response:
    file, kind = _PAGES[name]
    folder = FilePath(str(resources.files("nbhelpers.serve.generation") / "page"))
    return Response((folder / file).read_bytes(), media_type=f"{kind}; charset=utf-8", headers=_SAFE)
