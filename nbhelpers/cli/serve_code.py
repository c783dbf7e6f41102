"""`nbhelpers serve-code` and `nbhelpers user-token`: code generation behind HTTP, users' tokens."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbhelpers.cli.options import Gpu, device_for
from nbhelpers.cli.output import Answer, command

if TYPE_CHECKING:
    from nbhelpers.serve.generation.work import Bounds, Generator

ROOM = "Code"


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(app, "serve-code", ROOM, "serve-code --port 8001 --set codegen.order=safe")
    def serve_code(
        host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0: all of them.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8001,
        history: Annotated[
            str,
            typer.Option(metavar="URL", help="Database of generations; a file beside --cache without it."),
        ] = "",
        cache: Annotated[
            str, typer.Option(metavar="DIR|URL", help="Kept results: folder or Redis.")
        ] = "generated",
        rate: Annotated[str, typer.Option(help="Requests of one user.")] = "60/minute",
        rate_storage: Annotated[
            str, typer.Option(metavar="URL", help="Where rates are counted.")
        ] = "memory://",
        workers: Annotated[int, typer.Option(min=1, help="Requests answered at once.")] = 2,
        places: Annotated[int, typer.Option(min=1, help="Requests here at once; more are refused.")] = 64,
        profile: Annotated[str, typer.Option(help="Where all other settings come from.")] = "auto",
        setting: Annotated[
            list[str] | None, typer.Option("--set", metavar="codegen.KEY=VALUE", help="Any other setting.")
        ] = None,
        gpu: Gpu = None,
    ) -> Answer:
        """Write programs over HTTP until SIGTERM or Ctrl-C; the page is at /, the endpoints at /docs.

        POST /generate/{fastapi|flask|django|crud|generic}; GET /generations and /generations/{id}. Users
        carry a token of `nbhelpers user-token`, signed with the variable NBHELPERS_JWT_SECRET.
        """
        from nbhelpers.runtime import setup_logging
        from nbhelpers.serve import run_server
        from nbhelpers.serve.generation.app import create_generation_app
        from nbhelpers.serve.generation.work import Bounds

        token = os.environ.get("NBHELPERS_SERVE_TOKEN") or None
        generator = make_generator(
            profile, setting or [], cache, device_for(gpu),
            history=history, bounds=Bounds(rate, workers, places, rate_storage), token=token,
        )  # fmt: skip
        setup_logging()
        os.environ.setdefault("NBHELPERS_PROGRESS", "off")  # no bar per request
        run_server(
            create_generation_app(generator), host, port, lambda url: _say(f"code at {url}/ and {url}/docs")
        )
        counts = {name: sum(found.values()) for name, found in generator.measures.counts.items()}
        return Answer({"requests": counts}, f"stopped after {sum(counts.values())} requests")

    @command(app, "user-token", ROOM, "user-token --user anna --hours 8")
    def user_token(
        user: Annotated[str, typer.Option(help="Whose token it is: letters, digits and _ . @ -")],
        hours: Annotated[float, typer.Option(help="How long it holds.")] = 24.0,
    ) -> Answer:
        """Make a token for a user of serve-code, signed with the variable NBHELPERS_JWT_SECRET."""
        from nbhelpers.serve.generation.users import make_token, secret_from_environment

        token = make_token(user, secret_from_environment(), hours)
        return Answer({"user": user, "token": token, "hours": hours}, token)


def make_generator(
    profile: str, settings: list[str], cache: str, device: str, *, history: str = "",
    bounds: "Bounds | None" = None, **server: Any,
) -> "Generator":  # fmt: skip
    """What writes code behind HTTP.

    Args:
        profile: where the settings come from.
        settings: changes to them.
        cache: folder or Redis URL of kept results.
        device: as `runtime.choose_device` takes it.
        history: URL of the database of generations; a file beside the cache where empty.
        bounds: of requests.
        server: what else `Generator` takes of the server it is part of.

    Raises:
        BadInput: no secret for tokens, or a setting, database or store that cannot be used.
    """
    from nbhelpers.serve.generation.users import secret_from_environment
    from nbhelpers.serve.generation.work import Generator
    from nbhelpers.settings import load_settings

    secret, chosen = secret_from_environment(), load_settings(profile, settings)
    return Generator(
        chosen, secret, history=history or _beside(cache), kept=cache, bounds=bounds, device=device, **server
    )


def _beside(cache: str) -> str:
    """A SQLite file in the folder of kept results; in the current folder where those are in Redis."""
    folder = Path() if "://" in cache else Path(cache)
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{(folder / 'history.sqlite3').absolute()}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
