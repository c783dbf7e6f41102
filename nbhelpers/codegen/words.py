"""Read a request out of free text: what was found, and what had to be assumed.

The reader knows a small grammar of English. It looks for whole words in their places, so `a list of flasks`
is no Flask and `not Django` is not Django. What it does not understand it leaves out, and notes show that.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nbhelpers.codegen.names import singular, to_identifier
from nbhelpers.codegen.request import (
    MAX_ENTITIES,
    MAX_FIELDS,
    OPERATIONS,
    Entity,
    Field,
    Framework,
    Kind,
    Operation,
    Option,
)

LONGEST = 20_000  # characters that are looked at

_FRAMEWORKS: dict[Framework, str] = {
    "fastapi": r"fast\s?api",
    "flask": r"flask",
    "django": r"django",
    "crud": r"sql\s?alchemy|crud (?:service|app|api|layer|application)|database[- ]backed",
    "generic": r"(?:generic|plain|pure|standalone) python|python (?:module|library|script|package)",
}
_NOT = re.compile(
    r"(?:\bnot?|\bwithout|\binstead of|\brather than|\bavoid|n't use|\bnever)(?: an?| the)?\s*$", re.I
)
_SERVICE = r"(?:service|app|application|api|server|backend|project|site|program|module|library|script)s?"
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("text", "string", "str", "words", "name", "email", "url"), "str"),
    **dict.fromkeys(("integer", "whole number", "int", "count", "whole"), "int"),
    **dict.fromkeys(("decimal", "number", "float", "real", "money", "double"), "float"),
    **dict.fromkeys(("flag", "yes or no", "bool", "boolean", "yes/no", "true or false"), "bool"),
    **dict.fromkeys(("date", "day"), "date"),
    **dict.fromkeys(("datetime", "date and time", "timestamp", "time"), "datetime"),
}
# What a field's own name says of its type where nothing else does.
_GUESSES: tuple[tuple[str, Kind], ...] = (
    (r"(^|_)(is|has)_|^(active|done|urgent|open|enabled|paid|completed?)$", "bool"),
    (r"_at$|timestamp|datetime", "datetime"),
    (r"(^|_)(date|day|birthday|deadline)$|_on$", "date"),
    (r"(price|cost|amount|weight|rating|height|width|temperature|total|salary)$", "float"),
    (r"(count|year|stock|level|age|quantity|number|pages|size)$", "int"),
)
_OPERATIONS: dict[Operation, str] = {
    "list": r"list(?:ing)?|show all|index|browse",
    "get": r"get|read(?:ing)?|fetch|retrieve|view|look up",
    "create": r"creat(?:e|ing)|add(?:ing)?|insert|post",
    "update": r"updat(?:e|ing)|chang(?:e|ing)|edit(?:ing)?|replace|modify|put",
    "delete": r"delet(?:e|ing)|remov(?:e|ing)|destroy",
}
_OPTIONS: dict[Option, str] = {
    "health": r"health",
    "api": r"/api\b",
    "paging": r"pag(?:e the|e through|ed|ing|inated?|ination)\b|has a limit",
}
_WORD = r"[^\W\d_][\w-]*"
_STOP = (
    r"(?=\s+(?:with|that|which|using|in|on|and then|where|whose|having|of|to|for|it|each|as)\b|[.,;:!?\n(]|$)"
)


@dataclass(frozen=True)
class Read:
    """What the text says; None and empty where it says nothing."""

    framework: Framework | None
    entities: tuple[Entity, ...]
    operations: tuple[Operation, ...]
    options: tuple[Option, ...]
    guessed: tuple[str, ...]  # fields whose type is a guess from their name
    renamed: tuple[tuple[str, str], ...]  # names as written, names as used


def read_words(text: str) -> Read:
    """Read free text; nothing of it is executed, compiled or formatted."""
    text = text[:LONGEST]
    notes = _Notes([], [])
    return Read(
        find_framework(text), tuple(_entities(text, notes)), find_operations(text), find_options(text),
        tuple(notes.guessed), tuple(notes.renamed),
    )  # fmt: skip


@dataclass
class _Notes:
    guessed: list[str]
    renamed: list[tuple[str, str]]


def find_framework(text: str) -> Framework | None:
    """The framework that is asked for: one next to `service`, `app`, `in` or `using` before others."""
    found: list[tuple[int, int, Framework]] = []
    for name, pattern in _FRAMEWORKS.items():
        for match in re.finditer(rf"(?<![\w-])(?:{pattern})(?![\w-])", text, re.I):
            before, after = text[: match.start()], text[match.end() :]
            if _NOT.search(before):
                continue
            near = re.search(r"\b(?:in|with|using|use|on|through|by)(?: an?| the)?\s*$", before, re.I)
            placed = re.match(rf"\s+(?:\w+\s+)?{_SERVICE}\b", after, re.I) or near or not before.strip()
            found.append((0 if placed else 1, match.start(), name))
    return min(found)[2] if found else None


def find_operations(text: str) -> tuple[Operation, ...]:
    """The operations named after `operations:`, `endpoints:` or `it can`, less those forbidden."""
    if re.search(r"\bread[- ]only\b", text, re.I):
        return ("list", "get")
    denied = {name for name in OPERATIONS if _denied(text, _OPERATIONS[name])}
    spans = [
        match[1] for match in re.finditer(r"(?:operations|endpoints|actions)\s*:\s*([^.\n]+)", text, re.I)
    ]
    spans += [
        m[1]
        for m in re.finditer(r"\b(?:it|one|users?|clients?|people) (?:can|may|must)\s+([^.\n]+)", text, re.I)
    ]
    named = {name for name in OPERATIONS for span in spans if _has(_OPERATIONS[name], span)}
    if any(re.search(r"\b(?:all operations|full crud|everything)\b", span, re.I) for span in spans):
        named = set(OPERATIONS)
    wanted = named or (set(OPERATIONS) if denied else set())
    return tuple(name for name in OPERATIONS if name in wanted - denied)


def _denied(text: str, pattern: str) -> bool:
    return bool(
        re.search(rf"\b(?:no|not|without|never|cannot|can't)\s+(?:\w+\s+)?(?:{pattern})\b", text, re.I)
    )


def _has(pattern: str, text: str) -> bool:
    return bool(re.search(rf"(?<![\w/])(?:{pattern})(?!\w)", text, re.I))


def find_options(text: str) -> tuple[Option, ...]:
    """The options that are asked for."""
    return tuple(
        name
        for name, pattern in _OPTIONS.items()
        if re.search(rf"(?<!\w)(?:{pattern})", text, re.I) and not _denied(text, pattern)
    )


def _entities(text: str, notes: _Notes) -> Iterator[Entity]:
    """Entities in the order they are named, each with the fields that stand with it."""
    found: dict[str, tuple[Field, ...]] = {}
    names = list(dict.fromkeys(_entity_names(text, notes)))[:MAX_ENTITIES]
    for name, place in _field_lists(text, names):
        if name not in found:
            found[name] = tuple(_fields(place, name, notes))
    common = (Field("name", "str"),)
    used: set[str] = set()
    for name in names:
        entity = Entity(name, found.get(name) or common)
        if not {entity.name, entity.many} & used:
            used |= {entity.name, entity.many}
            if not found.get(name):
                notes.guessed.append(f"{name}.name")
            yield entity


def _entity_names(text: str, notes: _Notes) -> Iterator[str]:
    """From `for books and authors`, `to manage books`, `of orders`, `Each book has`, `Entity: book`."""
    one, my = rf"{_WORD}(?:\s{_WORD})?", r"(?:the\s+|my\s+|our\s+)?"
    many = rf"({_WORD}(?:\s{_WORD}){{0,2}}?(?:\s*,\s*{one})*(?:,?\s+and\s+{one})?)"
    patterns = (
        rf"\b{_SERVICE}\s+(?:for|of|to (?:manage|keep|store|track))\s+(?:an?\s+)?{my}{many}{_STOP}",
        rf"\b(?:manag(?:e|es|ing)|stor(?:e|es|ing)|track(?:s|ing)?|keeps?)\s+{my}{many}{_STOP}",
        rf"\b(?:list|catalogue|inventory|register) of\s+{my}{many}{_STOP}",
        rf"\b(?:entit(?:y|ies)|tables?|resources?|models?)\s*:\s*{many}{_STOP}",
    )
    for pattern in patterns:
        for match in re.finditer(pattern, text, re.I):
            parts = re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", match[1])
            yield from (
                _named(part, notes) for part in parts if not re.match(r"(?:no|not|without)\b", part, re.I)
            )
    for match in re.finditer(rf"\b(?:each|every|an?)\s+({_WORD}(?:\s{_WORD})?)\s+has\b", text, re.I):
        yield _named(match[1], notes)


def _named(words: str, notes: _Notes) -> str:
    head, _, last = words.strip().rpartition(" ")
    written = f"{head} {singular(last)}".strip()
    name = to_identifier(written, "entity")
    plain = re.sub(r"\W+", "_", written.lower())
    if name != plain and (written, name) not in notes.renamed:
        notes.renamed.append((written, name))
    return name


def _field_lists(text: str, names: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs of an entity and the text that lists its fields."""
    end = r"(?=\.(?:\s|$)|\n|;|$)"
    for match in re.finditer(
        rf"\b(?:each|every|an?)\s+({_WORD}(?:\s{_WORD})?)\s+has\s+(.+?){end}", text, re.I
    ):
        yield _named(match[1], _Notes([], [])), match[2]
    if not names:
        return
    for match in re.finditer(rf"\bfields?\s*:\s*(.+?){end}", text, re.I):
        yield names[0], match[1]
    stop = rf"(?:{end}|(?=\s+(?:operations|endpoints)\s*:))"
    for match in re.finditer(
        rf"({_WORD})\s+(?:with|having)\s+(?:an?\s+)?(?!fields?\b)(.+?){stop}", text, re.I
    ):
        name = _named(match[1], _Notes([], []))
        owner = next((one for one in names if one == name or one.endswith(f"_{name}")), None)
        if owner is not None:
            yield owner, match[2]


def _fields(listed: str, entity: str, notes: _Notes) -> Iterator[Field]:
    used: set[str] = set()
    for part in re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+(?!time\b)", listed)[:MAX_FIELDS]:
        found = _field(part.strip(), entity, notes)
        if found is not None and found.name not in used:
            used.add(found.name)
            yield found


def _field(part: str, entity: str, notes: _Notes) -> Field | None:
    """A field from `price (decimal)`, `price: decimal`, `price as decimal`, `decimal price` or `price`."""
    part = re.sub(r"^(?:an?|the|its|their)\s+", "", part, flags=re.I)
    said = re.fullmatch(r"(.+?)\s*(?:\(([^)]*)\)|:\s*(.+)|\bas (?:an? )?(.+))", part)
    written, kind = (said[1], next(filter(None, said.groups()[1:]), "")) if said else (part, "")
    if not re.fullmatch(rf"{_WORD}(?:\s+[\w-]+){{0,3}}", written):
        return None
    name = to_identifier(written)
    if name != re.sub(r"\W+", "_", written.lower()):
        notes.renamed.append((written, name))
    known = _KINDS.get(kind.strip().lower())
    if known is None:
        notes.guessed.append(f"{entity}.{name}")
    return Field(name, known or guess_kind(name))


def guess_kind(name: str) -> Kind:
    """The type that a field's name suggests; text where it suggests none."""
    return next((kind for pattern, kind in _GUESSES if re.search(pattern, name)), "str")


def kind_of(word: str) -> Kind | None:
    """The type that a word such as `decimal` or `int` names, or None."""
    return _KINDS.get(word.strip().lower())
