"""`nbhelpers serve`: a video model behind HTTP."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbhelpers.cli.options import Gpu, device_for, existing_file, existing_folder
from nbhelpers.cli.output import Answer, command
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbhelpers.serve import Limits
    from nbhelpers.serve.generation.work import Generator
    from nbhelpers.serve.service import Service
    from nbhelpers.video import VideoPredictor

ROOM = "Video"
TOKEN = "NBHELPERS_SERVE_TOKEN"


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(app, "serve", ROOM, "serve --model tiny/qwen2.5-vl --port 8000")
    def serve(
        model: Annotated[
            str, typer.Option(metavar="NAME|DIR", help="Model; auto: what the adapter or the profile names.")
        ] = "auto",
        adapter: Annotated[
            Path | None, typer.Option(metavar="DIR", help="Adapter to start with, as tune-vlm wrote it.")
        ] = None,
        adapters: Annotated[
            Path | None, typer.Option(metavar="DIR", help="Folder of adapters that clients may change to.")
        ] = None,
        host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0: all of them.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
        token_file: Annotated[
            Path | None, typer.Option(metavar="FILE", help=f"Bearer token; else the variable {TOKEN}.")
        ] = None,
        upload_mib: Annotated[float, typer.Option(min=0.01, help="Largest video, MiB.")] = 256,
        video_s: Annotated[float, typer.Option(min=1, help="Longest video, seconds.")] = 600,
        files: Annotated[int, typer.Option(min=1, help="Most videos in one batch.")] = 16,
        places: Annotated[int, typer.Option(min=1, help="Requests here at once; more are refused.")] = 32,
        wait_s: Annotated[float, typer.Option(min=1, help="Longest a request waits for its turn.")] = 120,
        spool: Annotated[
            Path | None, typer.Option(metavar="DIR", help="Where uploads lie while they are answered.")
        ] = None,
        code: Annotated[
            str | None,
            typer.Option(
                metavar="DIR|URL", help="Write code too, as serve-code does; where results are kept."
            ),
        ] = None,
        quantize: Annotated[str | None, typer.Option(help="nf4 or int8; none by default.")] = None,
        profile: Annotated[str, typer.Option(help="Whose models --model auto tries.")] = "auto",
        gpu: Gpu = None,
    ) -> Answer:
        """Answer videos over HTTP until SIGTERM or Ctrl-C; http://HOST:PORT/docs shows how to ask.

        POST /predict and /batch_predict; GET /health, /status, /metrics, /adapters; PUT /adapter (only with a
        token). The model is loaded once and asked by one request at a time. With --code also POST /generate/*
        and GET /generations for users with a token of `nbhelpers user-token`, and their page at /.
        """
        from nbhelpers.serve import Limits

        limits = Limits(upload_mib=upload_mib, video_s=video_s, files=files, places=places, wait_s=wait_s)
        token = _token(token_file)
        existing_folder(adapters, "--adapters")
        device = device_for(gpu)
        coder = None if code is None else _coder(profile, code, device)
        predictor = _load(model, adapter, quantize, profile, device)
        counts = _run(predictor, limits, token, adapters, adapter, spool, coder, host, port)
        return Answer({"requests": counts}, f"stopped after {sum(counts.values())} requests")


def _token(file: Path | None) -> str | None:
    """The token, from a file or the environment; never from the command line, which everyone can list."""
    text = os.environ.get(TOKEN) if file is None else existing_file(file, "--token-file").read_text()
    if text is None:
        return None
    if not text.strip() or not text.strip().isprintable():
        raise BadInput(f"{file or TOKEN}: holds no token; write one line of text, or leave it out altogether")
    return text.strip()


def _load(
    model: str, adapter: Path | None, quantize: str | None, profile: str, device: str
) -> "VideoPredictor":
    """The model, loaded and asked once: a server that starts can answer."""
    import numpy as np

    from nbhelpers.models import read_adapter
    from nbhelpers.video import VideoPredictor

    base = None if adapter is None else read_adapter(adapter).base  # damaged: said before a model is loaded
    names = [model] if model != "auto" else _names(base, profile)
    predictor = VideoPredictor.load(names, adapter, device=device, quantize=quantize)
    grey = np.full((8, 224, 224, 3), 128, np.uint8)
    predictor.predict([(grey, tuple(float(time) for time in range(8)), 8.0)])
    return predictor


def _coder(profile: str, kept: str, device: str) -> "Callable[[Service], Generator]":
    """What makes the part that writes code; a missing secret is said before a model is loaded."""
    from nbhelpers.cli.serve_code import make_generator
    from nbhelpers.serve.generation.users import secret_from_environment

    secret_from_environment()
    return lambda service: make_generator(
        profile, [], kept, device, measures=service.measures, stopping=service.turns.stopping
    )


def _names(base: str | None, profile: str) -> list[str]:
    """What `auto` tries: the model an adapter was made on, or the profile's chain."""
    from nbhelpers.models import chain
    from nbhelpers.settings import load_settings

    return [base] if base is not None else chain("video", load_settings(profile).built_in)


def _run(
    predictor: "VideoPredictor", limits: "Limits", token: str | None, adapters: Path | None,
    adapter: Path | None, spool: Path | None, coder: "Callable[[Service], Generator] | None",
    host: str, port: int,
) -> dict[str, int]:  # fmt: skip
    """Serve until the end; requests by endpoint."""
    from nbhelpers.runtime import setup_logging
    from nbhelpers.serve import create_app, run_server

    setup_logging()
    os.environ.setdefault("NBHELPERS_PROGRESS", "off")  # no bar per request
    app = create_app(
        predictor, limits, token=token, adapters=adapters, adapter=adapter, spool=spool, make_generator=coder
    )
    name, guard = predictor.describe()["model"], "asks for a token" if token else f"open; {TOKEN} guards it"
    run_server(app, host, port, lambda url: _say(f"{name} at {url}/docs, {guard}"))
    counts = app.state.service.measures.counts
    return {endpoint: sum(found.values()) for endpoint, found in counts.items()}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
