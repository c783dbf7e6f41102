"""What is asked for, as a structure: framework, entities with typed fields, operations, options."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from nbhelpers.codegen.names import plural, to_class, to_identifier
from nbhelpers.errors import BadInput

Framework = Literal["fastapi", "flask", "django", "crud", "generic"]
Kind = Literal["str", "int", "float", "bool", "date", "datetime"]
Operation = Literal["list", "get", "create", "update", "delete"]
Option = Literal["health", "api", "paging"]

FRAMEWORKS: tuple[Framework, ...] = get_args(Framework)
KINDS: tuple[Kind, ...] = get_args(Kind)
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
OPTIONS: tuple[Option, ...] = get_args(Option)
MAX_ENTITIES = 8
MAX_FIELDS = 24
MAX_TEXT = 16_384  # characters of the requirement that are kept
_METHODS = {"list": "GET", "get": "GET", "create": "POST", "update": "PUT", "delete": "DELETE"}
_SAMPLES: dict[str, object] = {
    **{"str": "text", "int": 3, "float": 2.5, "bool": True},
    **{"date": "2024-05-17", "datetime": "2024-05-17T08:30:00"},
}


@dataclass(frozen=True)
class Field:
    """A field of an entity: its name, an identifier, and its type."""

    name: str
    kind: Kind

    def __post_init__(self) -> None:
        """Refuse what could not stand in code.

        Raises:
            BadInput: the name is none that `to_identifier` gives, or the type is unknown.
        """
        _check_name(self.name, "field")
        if self.kind not in KINDS:
            raise BadInput(f"field {self.name}: type {self.kind!r} is unknown; types: {', '.join(KINDS)}")

    @property
    def sample(self) -> object:
        """A value of this type as JSON has it."""
        return _SAMPLES[self.kind]


@dataclass(frozen=True)
class Entity:
    """A thing the service keeps: its name in the singular, an identifier, and its fields."""

    name: str
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        """Refuse what could not stand in code.

        Raises:
            BadInput: a bad name, no field, too many fields, or two of one name.
        """
        _check_name(self.name, "entity")
        names = [one.name for one in self.fields]
        if not 1 <= len(names) <= MAX_FIELDS:
            raise BadInput(f"entity {self.name}: {len(names)} fields; give 1 to {MAX_FIELDS}")
        if len(set(names)) < len(names):
            raise BadInput(f"entity {self.name}: two fields have one name; name each once")

    @property
    def class_name(self) -> str:
        """Name of its class."""
        return to_class(self.name)

    @property
    def many(self) -> str:
        """Plural, as in paths and tables."""
        return plural(self.name)

    @property
    def sample(self) -> dict[str, object]:
        """A record of it as JSON has it, without an id."""
        return {one.name: one.sample for one in self.fields}


@dataclass(frozen=True)
class Route:
    """An endpoint the service must have: `path` has `{id}` where the id of a record stands."""

    operation: str
    method: str
    path: str
    entity: Entity | None = None


@dataclass(frozen=True)
class CodeRequest:
    """One request, complete: whatever text it came from, only identifiers of it reach the code.

    Attributes:
        framework: of `FRAMEWORKS`.
        entities: at least one.
        operations: of `OPERATIONS`, in that order; the same for all entities.
        options: of `OPTIONS`, in that order.
        text: the requirement in its own words; reaches code only as a quoted string.
    """

    framework: Framework
    entities: tuple[Entity, ...]
    operations: tuple[Operation, ...] = OPERATIONS
    options: tuple[Option, ...] = ()
    text: str = field(default="")

    def __post_init__(self) -> None:
        """Put operations and options in order and check everything.

        Raises:
            BadInput: names the part and what is allowed.
        """
        _check_choice("framework", self.framework, FRAMEWORKS)
        for name, values, allowed in (
            ("operation", self.operations, OPERATIONS),
            ("option", self.options, OPTIONS),
        ):
            for value in values:
                _check_choice(name, value, allowed)
        object.__setattr__(self, "operations", tuple(o for o in OPERATIONS if o in self.operations))
        object.__setattr__(self, "options", tuple(o for o in OPTIONS if o in self.options))
        object.__setattr__(self, "text", self.text[:MAX_TEXT])
        self._check_entities()

    def _check_entities(self) -> None:
        if not self.operations:
            raise BadInput(f"the request has no operation; name some of {', '.join(OPERATIONS)}")
        if not 1 <= len(self.entities) <= MAX_ENTITIES:
            raise BadInput(f"the request has {len(self.entities)} entities; name 1 to {MAX_ENTITIES}")
        names = [word for one in self.entities for word in {one.name, one.many}]
        if len(set(names)) < len(names) or len({one.class_name for one in self.entities}) < len(
            self.entities
        ):
            raise BadInput(f"two entities have one name among {', '.join(e.name for e in self.entities)}")

    @property
    def prefix(self) -> str:
        """What paths of entities begin with: "/api" or nothing."""
        return "/api" if "api" in self.options else ""

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every endpoint of a web service of this request; none for generic Python."""
        if self.framework == "generic":
            return ()
        health = (Route("health", "GET", "/health"),) if "health" in self.options else ()
        return (*health, *(self._route(entity, name) for entity in self.entities for name in self.operations))

    def _route(self, entity: Entity, operation: str) -> Route:
        one = "" if operation in {"list", "create"} else "/{id}"
        return Route(operation, _METHODS[operation], f"{self.prefix}/{entity.many}{one}", entity)


def _check_name(name: str, what: str) -> None:
    if to_identifier(name, what) != name:
        raise BadInput(f"{what} {name[:60]!r}: use lower-case letters, digits and single underscores")


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        from nbhelpers.settings.sources import closest

        raise BadInput(
            f"{name} {str(value)[:60]!r}{closest(str(value), allowed)}; allowed: {', '.join(allowed)}"
        )
