"""What commands give back, and how it reaches people and scripts."""

import functools
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from nbhelpers.artifacts import plain, to_json
from nbhelpers.errors import NbhelpersError

JSON_OPTION = typer.Option("--json", help="Print one JSON object on standard output and nothing else.")
DEBUG_OPTION = typer.Option("--debug", help="Show the whole trace of an error.")


@dataclass(frozen=True)
class Answer:
    """The outcome of a command.

    Attributes:
        data: what `--json` prints.
        text: what people read.
        exit_code: 0 done, 1 a check failed, 2 bad input.
        error: one line for standard error when the code is not 0.
    """

    data: dict[str, Any]
    text: str = ""
    exit_code: int = 0
    error: str = ""


def command(app: typer.Typer, name: str, room: str, example: str) -> Callable[..., Callable[..., Answer]]:
    """Register a function that returns an `Answer` as a command that takes `--json` and `--debug` too.

    Args:
        app: where it goes.
        name: what people type.
        room: heading under which `--help` lists it.
        example: shown at the end of its `--help`.
    """

    def register(function: Callable[..., Answer]) -> Callable[..., Answer]:
        @functools.wraps(function)
        def wrapper(**options: Any) -> Answer:
            # Both were read from the command line by `main`, before parsing could fail.
            del options["as_json"], options["debug"]
            return function(**options)

        wrapper.__signature__ = _with_common_options(function)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {
            parameter.name: parameter.annotation
            for parameter in wrapper.__signature__.parameters.values()  # type: ignore[attr-defined]
        }
        epilog = f"Example:  [bold]nbhelpers {example}[/bold]"
        app.command(name, rich_help_panel=room, epilog=epilog)(wrapper)
        return function

    return register


def _with_common_options(function: Callable[..., Answer]) -> inspect.Signature:
    own = list(inspect.signature(function, eval_str=True).parameters.values())
    common = [("as_json", Annotated[bool, JSON_OPTION]), ("debug", Annotated[bool, DEBUG_OPTION])]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in common
    ]
    return inspect.Signature([p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + added)


def keep_stdout_for_json() -> TextIO:
    """Send everything written to standard output to standard error from now on, also by C code and children.

    It is not undone: C libraries write what they buffered when the process ends.

    Returns:
        The real standard output.
    """
    sys.stdout.flush()
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return kept


def emit(answer: Answer, json_stream: TextIO | None) -> None:
    """Print: JSON to the stream kept for it, text to standard output, the error to standard error."""
    if answer.text:
        print(answer.text, flush=True)
    if answer.error:
        print(f"nbhelpers: {answer.error}", file=sys.stderr, flush=True)
    if json_stream is not None:
        problem = {"error": answer.error, "exit_code": answer.exit_code} if answer.exit_code else {}
        print(to_json({**answer.data, **problem}), file=json_stream, flush=True)


def explain(error: BaseException, debug: bool) -> Answer:
    """The answer that stands for an error: one line, and the trace before it when asked for."""
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, NbhelpersError):
        return Answer({}, error=one_line(str(error)), exit_code=error.exit_code)
    if isinstance(error, KeyboardInterrupt):
        return Answer({}, error="interrupted", exit_code=130)
    usage = getattr(error, "format_message", None)  # typer's own errors, whichever click it stands on
    if callable(usage):
        hint = "" if "--help" in usage() else "; see --help"
        return Answer(
            {}, error=one_line(usage()).rstrip(".") + hint, exit_code=getattr(error, "exit_code", 2)
        )
    where = "" if debug else " (use --debug for the trace)"
    message = one_line(f"internal error: {type(error).__name__}: {error}")
    return Answer({}, error=f"{message}{where}", exit_code=1)


def one_line(text: str, limit: int = 500) -> str:
    """A message on one line, cut at `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def paths(**named: Path | None) -> dict[str, str]:
    """Paths as text, those that are None left out."""
    return {name: str(plain(path)) for name, path in named.items() if path is not None}
