"""The template rung: a request becomes a whole project, the same text for the same request.

Only identifiers, types and choices of the request reach the code as they are; the requirement's own words go
through `quoted` into one string constant, and into README.md as a quotation.
"""

import re
import subprocess
import tempfile
import textwrap
import threading
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import sha256_value
from nbhelpers.codegen.project import Project
from nbhelpers.codegen.request import CodeRequest
from nbhelpers.errors import NbhelpersError

if TYPE_CHECKING:
    from jinja2 import Environment

_ENTRY = {"django": "service.wsgi"}
_TYPES = {
    **{"str": "str", "int": "int", "float": "float", "bool": "bool"},
    **{"date": "dt.date", "datetime": "dt.datetime"},
}
_RUFF = threading.Lock()
LINE = 100  # characters of a generated line


def render(request: CodeRequest) -> Project:
    """Write the project that answers a request, formatted, with its tests and its requirements.

    Raises:
        NbhelpersError: the formatter refused a file, which a request should never bring about.
    """
    environment = _environment()
    words = {"r": request, "types": _TYPES, "dated": _dated(request), "title": _title(request)}
    names = [
        name for name in environment.list_templates() if name.split("/")[0] in {request.framework, "shared"}
    ]
    files = {
        name.partition("/")[2].removesuffix(".j2"): environment.get_template(name).render(words)
        for name in names
        if not re.search(r"(^|/)_[^_]", name)
    }
    return Project(formatted(files), _ENTRY.get(request.framework, "main"))


@cache
def revision() -> str:
    """Digest of all templates: what they write changes only with it."""
    environment = _environment()
    assert environment.loader is not None
    sources = {
        name: environment.loader.get_source(environment, name)[0] for name in environment.list_templates()
    }
    return f"sha256:{sha256_value(sources)}"


def quoted(text: str, indent: int = 4) -> str:
    """A text as a Python expression that evaluates to exactly it, on lines of at most 88 characters or so."""
    pieces = [text[start : start + 72] for start in range(0, len(text), 72)]
    if len(pieces) < 2:
        return repr(text)
    return "(\n" + textwrap.indent("\n".join(map(repr, pieces)), " " * indent) + "\n)"


def as_quotation(text: str) -> str:
    """A text as a Markdown quotation; what cannot be written in UTF-8 is escaped."""
    lines = text.encode("utf-8", "backslashreplace").decode().splitlines()
    return (
        "\n".join(f"> {''.join(c if c.isprintable() else '?' for c in line)}".rstrip() for line in lines)
        or ">"
    )


def formatted(files: Mapping[str, str]) -> dict[str, str]:
    """The files with every Python source in ruff's form.

    Raises:
        NbhelpersError: a source is no Python.
    """
    with tempfile.TemporaryDirectory(prefix="nbhelpers-form-") as name:
        folder = _laid_out(files, Path(name))
        command = [ruff(), "format", "--isolated", "--no-cache", "--quiet", "--line-length", str(LINE), name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NbhelpersError(f"generated code cannot be formatted: {done.stderr.strip()[:400]}")
        return {file: (folder / file).read_text(encoding="utf-8") for file in files}


def _laid_out(files: Mapping[str, str], folder: Path) -> Path:
    """The files on disk for a moment; not synced, which would be most of the time."""
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(text.encode("utf-8", "backslashreplace"))
    return folder


@cache
def ruff() -> str:
    """The path of ruff's own binary, which starts ten times as fast as its Python module."""
    from ruff import find_ruff_bin

    with _RUFF:  # two threads that ask `sysconfig` for the first time at once can get nothing from it
        return str(find_ruff_bin())


def _dated(request: CodeRequest) -> bool:
    return any(one.kind in {"date", "datetime"} for entity in request.entities for one in entity.fields)


def _title(request: CodeRequest) -> str:
    """Made of identifiers alone."""
    return " and ".join(entity.many.replace("_", " ") for entity in request.entities).capitalize()


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(str(resources.files("nbhelpers.codegen") / "template_files"))
    environment = Environment(
        loader=FileSystemLoader(folder), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip  # autoescape is for HTML; Python is escaped by `quoted`
    filters: dict[str, Any] = {"quoted": quoted, "quotation": as_quotation, "repr": repr}
    environment.filters.update(filters)
    return environment
