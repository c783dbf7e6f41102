"""One parser for requests, from free text or YAML: what it understood, and where each part came from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbhelpers.codegen.names import singular, to_identifier
from nbhelpers.codegen.request import (
    FRAMEWORKS,
    KINDS,
    OPERATIONS,
    OPTIONS,
    CodeRequest,
    Entity,
    Field,
    Framework,
)
from nbhelpers.codegen.words import guess_kind, kind_of, read_words
from nbhelpers.errors import BadInput
from nbhelpers.runtime.tables import text_table

_KEYS = ("framework", "text", "entities", "operations", "options")
_LONGEST = 262_144


@dataclass(frozen=True)
class Note:
    """One part of a request: what was understood and what it rests on."""

    part: str
    value: str
    reason: str


@dataclass(frozen=True)
class Understood:
    """A request and how it was understood; assumptions are those notes whose reason begins with `assumed`."""

    request: CodeRequest
    notes: tuple[Note, ...]

    def table(self) -> str:
        """The notes as text."""
        return text_table([(n.part, n.value, n.reason) for n in self.notes], ("part", "understood", "from"))


def parse_request(source: str | Mapping[str, Any], framework: Framework | None = None) -> Understood:
    """Understand a request.

    Args:
        source: free text in English, YAML text of a mapping, or that mapping. The keys of a mapping are
            `framework`, `text`, `entities` (name to fields, fields name to type), `operations`, `options`.
        framework: wanted whatever the source says.

    Raises:
        BadInput: an empty or over-long text, or a mapping with unknown keys, names or types.
    """
    if isinstance(source, str) and len(source) > _LONGEST:
        raise BadInput(f"the request has {len(source):,} characters; at most {_LONGEST:,} are read")
    given = _mapping(source) if isinstance(source, str) else source
    if given is not None:
        return _from_mapping(given, framework)
    assert isinstance(source, str)
    return _from_words(source, framework)


def _mapping(text: str) -> Mapping[str, Any] | None:
    """The text as a mapping where it is YAML with our keys; None where it is words."""
    import yaml

    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            return None  # few lines with aliases can stand for gigabytes
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    known = isinstance(found, dict) and {"framework", "entities"} & {str(key) for key in found}
    return found if known else None


def _from_words(text: str, framework: Framework | None) -> Understood:
    if not text.strip():
        raise BadInput("the request is empty; say what is wanted, such as 'FastAPI service for books'")
    read = read_words(text)
    chosen = framework or read.framework or "fastapi"
    entities = read.entities or (Entity("record", (Field("name", "str"),)),)
    request = CodeRequest(chosen, entities, read.operations or OPERATIONS, read.options, text)
    notes = [_framework_note(chosen, framework, read.framework)]
    notes += _entity_notes(
        request, read.guessed, "the text" if read.entities else "assumed: no entity was found"
    )
    said = "the text" if read.operations else "assumed: none was named, so all"
    notes.append(Note("operations", ", ".join(request.operations), said))
    notes.append(Note("options", ", ".join(request.options) or "none", "the text"))
    notes += [
        Note("renamed", f"{old} -> {new}", "the name is taken or no identifier") for old, new in read.renamed
    ]
    return Understood(request, tuple(notes))


def _framework_note(chosen: str, asked: str | None, read: str | None) -> Note:
    if asked:
        other = f"; the text says {read}" if read and read != asked else ""
        return Note("framework", chosen, f"it was asked for{other}")
    return Note("framework", chosen, "the text" if read else "assumed: the text names none")


def _entity_notes(request: CodeRequest, guessed: Sequence[str], source: str) -> Iterator[Note]:
    for entity in request.entities:
        fields = ", ".join(f"{field.name}: {field.kind}" for field in entity.fields)
        assumed = [f.name for f in entity.fields if f"{entity.name}.{f.name}" in guessed]
        why = f"assumed: type of {', '.join(assumed)}" if assumed and source == "the text" else source
        yield Note(f"entity {entity.name}", fields, why)


def _from_mapping(given: Mapping[str, Any], framework: Framework | None) -> Understood:
    _check_keys(given)
    text = given.get("text") or ""
    if not isinstance(text, str):
        raise BadInput(f"request: text is a {type(text).__name__}, but must be text")
    named = given.get("framework")
    chosen = framework or (_word("framework", named, FRAMEWORKS) if named is not None else "fastapi")
    guessed: list[str] = []
    request = CodeRequest(
        chosen,  # type: ignore[arg-type]
        tuple(_entity(name, fields, guessed) for name, fields in _pairs("entities", given.get("entities"))),
        _words("operations", given.get("operations"), OPERATIONS) or OPERATIONS,  # type: ignore[arg-type]
        _words("options", given.get("options"), OPTIONS),  # type: ignore[arg-type]
        text,
    )
    notes = [_framework_note(chosen, framework, named), *_entity_notes(request, guessed, "the text")]
    said = "the text" if given.get("operations") else "assumed: none was named, so all"
    notes.append(Note("operations", ", ".join(request.operations), said))
    notes.append(Note("options", ", ".join(request.options) or "none", "the text"))
    return Understood(request, tuple(notes))


def _check_keys(given: Mapping[str, Any]) -> None:
    from nbhelpers.settings.sources import closest

    for key in map(str, given):
        if key not in _KEYS:
            raise BadInput(
                f"request: unknown key {key[:60]!r}{closest(key, _KEYS)}; keys: {', '.join(_KEYS)}"
            )


def _pairs(where: str, value: Any) -> list[tuple[str, Any]]:
    """(name, content) of a mapping, or of a list of mappings with `name`."""
    if isinstance(value, Mapping):
        return [(str(name), content) for name, content in value.items()]
    if isinstance(value, list) and all(isinstance(one, Mapping) and "name" in one for one in value):
        return [(str(one["name"]), one.get("fields", one.get("type"))) for one in value]
    raise BadInput(
        f"request: {where} is a {type(value).__name__}; write a mapping of names to what belongs to them"
    )


def _entity(name: str, fields: Any, guessed: list[str]) -> Entity:
    written = to_identifier(singular(name), "entity")
    if isinstance(fields, list) and all(isinstance(one, str) for one in fields):
        fields = dict.fromkeys(fields)
    made = []
    for field, kind in _pairs(f"entity {name[:60]}", fields):
        plain = to_identifier(field)
        if kind is None:
            guessed.append(f"{written}.{plain}")
        made.append(Field(plain, guess_kind(plain) if kind is None else _kind(f"{name}.{field}", kind)))
    return Entity(written, tuple(made))


def _kind(where: str, value: Any) -> Any:
    found = kind_of(value) if isinstance(value, str) else None
    if found is None:
        shown = repr(value[:60]) if isinstance(value, str) else f"a {type(value).__name__}"
        raise BadInput(f"request: type of {where[:80]} is {shown}; types: {', '.join(KINDS)}")
    return found


def _words(where: str, value: Any, allowed: Sequence[str]) -> tuple[str, ...]:
    values = [] if value is None else value
    if not isinstance(values, list):
        raise BadInput(f"request: {where} is a {type(value).__name__}; write a list of {', '.join(allowed)}")
    return tuple(_word(where, one, allowed) for one in values)


def _word(where: str, value: Any, allowed: Sequence[str]) -> str:
    if isinstance(value, str) and value.strip().lower() in allowed:
        return value.strip().lower()
    shown = repr(value[:60]) if isinstance(value, str) else f"a {type(value).__name__}"
    raise BadInput(f"request: {where} has {shown}; allowed: {', '.join(allowed)}")
