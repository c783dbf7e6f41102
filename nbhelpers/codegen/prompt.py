"""A request as a model reads it, and the program in what the model answers."""

import re
from collections.abc import Sequence

from nbhelpers.codegen.project import Project
from nbhelpers.codegen.request import OPERATIONS, CodeRequest
from nbhelpers.errors import BadInput

SMALL_CONTEXT = 1024  # tokens; a model with no more is asked in one sentence
_SAID = {"fastapi": "FastAPI", "flask": "Flask", "django": "Django", "crud": "CRUD", "generic": "Python"}
_KIND_WORDS = {"str": "text", "int": "integer", "float": "decimal", "bool": "flag"}
_OPTION_WORDS = {"health": "Add a health check.", "api": "Put it under /api.", "paging": "Page the list."}
_HOW = {
    "fastapi": "FastAPI, records kept in memory",
    "flask": "Flask, records kept in memory, each value of a body checked for its type",
    "django": "Django with settings.configure, so that one file is enough, and an in-memory store",
    "crud": "FastAPI over SQLAlchemy 2 and a SQLite file beside the program",
    "generic": "plain Python: dataclasses, a store kept in a JSON file, and a `main` that shows its use",
}
_FENCE = re.compile(r"```[ \t]*(?:python|py)?[ \t]*\r?\n(.*?)(?:\n```|\Z)", re.S | re.I)


def sentence(request: CodeRequest) -> str:
    """The request in the one sentence that small coders are taught; of several entities the first."""
    entity = request.entities[0]
    fields = [f"{one.name} ({_KIND_WORDS.get(one.kind, one.kind)})" for one in entity.fields]
    text = f"Write a {_SAID[request.framework]} service for {entity.many} with {_joined(fields)}."
    done = "all operations" if len(request.operations) == len(OPERATIONS) else _joined(request.operations)
    return " ".join([text, f"Operations: {done}.", *(_OPTION_WORDS[option] for option in request.options)])


def messages(request: CodeRequest, findings: str = "") -> list[dict[str, str]]:
    """The request as a chat for models that follow instructions.

    The requirement's own words stand between marks, as something to read; nothing that is asked for depends
    on them. That they can still talk a model into other code is no danger to us: whatever it writes is
    checked in the contained child.
    """
    asked = [f"Write one Python file, main.py: {_HOW[request.framework]}.", "", "Entities:"]
    for entity in request.entities:
        fields = ", ".join(f"{one.name}: {one.kind}" for one in entity.fields)
        asked.append(f"- {entity.class_name} ({entity.many}): {fields}")
    if request.routes:
        asked += ["", "The application object is called `app`. It must answer exactly:", *_routes(request)]
    else:
        asked += ["", f"Operations: {', '.join(request.operations)}."]
    if request.text.strip():
        asked += ["", "In the words of who asked:", "<<<", request.text[:4000], ">>>"]
    if findings:
        asked += ["", "Your last answer failed its checks:", findings[:1500], "Write the whole file again."]
    rules = "You write correct, typed Python. Answer with one code block and nothing else."
    return [{"role": "system", "content": rules}, {"role": "user", "content": "\n".join(asked)}]


def _routes(request: CodeRequest) -> list[str]:
    said = {
        "health": "200",
        "list": "200 and an array of records"
        + (", `limit` and `skip`" if "paging" in request.options else ""),
        "get": "200 and the record with its id, or 404",
        "create": "201 and the record with its integer id; 422 or 400 for a body without the fields",
        "update": "200 and the record, or 404",
        "delete": "204, or 404",
    }
    return [f"- {route.method} {route.path}: {said[route.operation]}" for route in request.routes]


def program_in(text: str) -> Project:
    """The program in an answer: its longest code block, or the whole where there is none.

    Raises:
        BadInput: there is nothing.
    """
    blocks = [match[1] for match in _FENCE.finditer(text)]
    source = max(blocks, key=len) if blocks else text
    if not source.strip():
        raise BadInput("the answer holds no code")
    return Project({"main.py": source.rstrip() + "\n"})


def _joined(items: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]]))
