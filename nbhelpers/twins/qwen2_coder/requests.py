"""The grammar of requests: what a small service may be, and the many ways to ask for it.

A `Request` is a framework, an entity with typed fields, operations and options. `phrase` says it in words.
The grammar is closed on purpose: a model of a million parameters learns to combine names, not to copy new
ones.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

FRAMEWORKS = ("fastapi", "flask")
FASTAPI_SHARE = 0.75
OPERATIONS = ("list", "get", "create", "update", "delete")
OPTIONS = ("health", "api", "paging")
ENTITIES = (
    *("book", "user", "order", "product", "task", "note", "car", "room", "sensor", "ticket"),
    *("pallet", "robot", "worker", "customer", "invoice", "camera", "truck", "event", "song", "movie"),
)
TYPES_OF_FIELD = {
    **dict.fromkeys(("title", "name", "email", "city", "color", "status", "author", "code"), ("str",)),
    **dict.fromkeys(("price", "weight", "rating", "height", "width", "size"), ("float", "int")),
    **dict.fromkeys(("count", "year", "stock", "level", "age"), ("int",)),
    **dict.fromkeys(("active", "done", "urgent", "open"), ("bool",)),
}
MAX_FIELDS = 4
_HELD_OUT_SHARE = 0.1

_FRAMEWORK_NAMES = {"fastapi": "FastAPI", "flask": "Flask"}
_TYPE_WORDS = {
    "str": ("text", "string", "str"),
    "int": ("integer", "whole number", "int"),
    "float": ("decimal", "number", "float"),
    "bool": ("flag", "yes or no", "bool"),
}
_OPERATION_WORDS = {
    "list": ("list", "show all"),
    "get": ("get", "read", "fetch"),
    "create": ("create", "add"),
    "update": ("update", "change"),
    "delete": ("delete", "remove"),
}
_ALL_OPERATIONS = ("all operations", "full CRUD")
_OPENINGS = (
    "Write a {framework} {service} for {entity}s",
    "Build a {framework} {service} for {entity}s",
    "I need a {framework} {service} for {entity}s",
    "Please make a {framework} {service} to manage {entity}s",
    "{framework} {service} for {entity}s",
)
_SERVICES = ("service", "app", "API")
_FIELD_PARTS = (
    " with {fields}.",
    ". Fields: {fields}.",
    ". Each {entity} has {fields}.",
)
_OPERATION_PARTS = (" Operations: {operations}.", " It can {operations}.", " Endpoints: {operations}.")
_OPTION_WORDS = {
    "health": ("Add a health check.", "With a health endpoint."),
    "api": ("Put it under /api.", "Paths start with /api."),
    "paging": ("Page the list.", "The list has a limit."),
}


@dataclass(frozen=True)
class Field:
    """A field of an entity: its name and its Python type (`str`, `int`, `float` or `bool`)."""

    name: str
    kind: str


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        framework: one of `FRAMEWORKS`.
        entity: singular, lower case.
        fields: in the order asked for.
        operations: of `OPERATIONS`, in that order, at least one.
        options: of `OPTIONS`, in that order; `paging` only together with `list`.
    """

    framework: str
    entity: str
    fields: tuple[Field, ...]
    operations: tuple[str, ...]
    options: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """What paths of the entity begin with: "/api" or nothing."""
        return "/api" if "api" in self.options else ""

    @property
    def routes(self) -> frozenset[tuple[str, str]]:
        """Method and path of every route the service must have, such as ("GET", "/books/{book_id}")."""
        all_of_them = f"{self.prefix}/{self.entity}s"
        one = f"{all_of_them}/{{{self.entity}_id}}"
        where = {
            "list": ("GET", all_of_them),
            "get": ("GET", one),
            "create": ("POST", all_of_them),
            "update": ("PUT", one),
            "delete": ("DELETE", one),
        }
        health = {("GET", "/health")} if "health" in self.options else set()
        return frozenset({where[name] for name in self.operations} | health)


def is_held_out(request: Request) -> bool:
    """Whether the request is kept from training: a tenth of all pairs of an entity with a set of operations.

    All words of a held-out request are known from other requests; this entity was never seen with these
    operations, whatever the fields, options, framework and phrasing.
    """
    pair = f"{request.entity}:{','.join(request.operations)}"
    return hashlib.sha256(pair.encode()).digest()[0] < 256 * _HELD_OUT_SHARE


def draw_request(rng: "np.random.Generator", held_out: bool = False) -> Request:
    """A random request from the held-out part of the grammar, or from the rest."""
    while True:
        request = _draw(rng)
        if is_held_out(request) == held_out:
            return request


def _draw(rng: "np.random.Generator") -> Request:
    names = rng.permutation(list(TYPES_OF_FIELD))[: rng.integers(1, MAX_FIELDS + 1)]
    fields = tuple(Field(str(name), _pick(rng, TYPES_OF_FIELD[name])) for name in names)
    chosen = rng.permutation(OPERATIONS)[: rng.integers(1, len(OPERATIONS) + 1)]
    operations = tuple(name for name in OPERATIONS if name in chosen)
    options = tuple(
        name for name in OPTIONS if rng.random() < 0.25 and (name != "paging" or "list" in operations)
    )
    framework = FRAMEWORKS[0] if rng.random() < FASTAPI_SHARE else FRAMEWORKS[1]
    return Request(framework, _pick(rng, ENTITIES), fields, operations, options)


def phrase(request: Request, rng: "np.random.Generator") -> str:
    """The request in words, one of several hundred ways."""
    opening = _pick(rng, _OPENINGS).format(
        framework=_FRAMEWORK_NAMES[request.framework], service=_pick(rng, _SERVICES), entity=request.entity
    )
    fields = _joined([_field_words(rng, field) for field in request.fields])
    text = opening + _pick(rng, _FIELD_PARTS).format(fields=fields, entity=request.entity)
    text += _pick(rng, _OPERATION_PARTS).format(operations=_operation_words(rng, request.operations))
    for index in rng.permutation(len(request.options)):
        text += " " + _pick(rng, _OPTION_WORDS[request.options[index]])
    return text


def _field_words(rng: "np.random.Generator", field: Field) -> str:
    word = _pick(rng, _TYPE_WORDS[field.kind])
    return f"{field.name} ({word})" if rng.random() < 0.7 else f"{field.name}: {word}"


def _operation_words(rng: "np.random.Generator", operations: Sequence[str]) -> str:
    if len(operations) == len(OPERATIONS) and rng.random() < 0.5:
        return _pick(rng, _ALL_OPERATIONS)
    return _joined([_pick(rng, _OPERATION_WORDS[name]) for name in rng.permutation(list(operations))])


def _joined(items: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]]))


def _pick(rng: "np.random.Generator", options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]
