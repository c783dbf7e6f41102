"""The command `nbhelpers`: parse, run one command, report. Nothing heavy is imported here."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

import nbhelpers
from nbhelpers.cli import (
    attack,
    augment,
    codegen,
    data,
    degrade,
    distill,
    export,
    fit,
    images,
    machine,
    notebooks,
    scores,
    serve,
    serve_code,
    teach,
    twins,
    video,
    video_scores,
    videos,
)
from nbhelpers.cli.output import DEBUG_OPTION, JSON_OPTION, Answer, emit, explain, keep_stdout_for_json

app = typer.Typer(
    name="nbhelpers",
    help="From a COCO data set to a small, fast model, in notebooks and commands that run on a CPU too.",
    epilog="Exit codes: 0 done, 1 a check failed, 2 bad input. `nbhelpers COMMAND --help` has an example.",
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (
    machine,
    fit,
    notebooks,
    data,
    augment,
    codegen,
    teach,
    distill,
    export,
    scores,
    images,
    twins,
    videos,
    video,
    video_scores,
    degrade,
    attack,
    serve,
    serve_code,
):
    room.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        print(nbhelpers.__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
    debug: Annotated[bool, DEBUG_OPTION] = False,
) -> None:
    """Options that may stand before or after the command."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code.

    Args:
        arguments: without the program's name; `sys.argv` by default.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    json_stream = keep_stdout_for_json() if "--json" in given else None
    answer = run(given, debug="--debug" in given)
    try:
        emit(answer, json_stream)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(answer.exit_code)


def run(arguments: Sequence[str], debug: bool = False) -> Answer:
    """Run one command; errors become answers."""
    try:
        answer = app(list(arguments), standalone_mode=False, prog_name="nbhelpers")
    except (Exception, KeyboardInterrupt) as error:
        return explain(error, debug)
    if isinstance(answer, Answer):
        return answer
    return Answer({}, exit_code=answer if isinstance(answer, int) else 0)  # --help, --version
