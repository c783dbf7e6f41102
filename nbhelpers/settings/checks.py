"""Turn merged settings into checked sections; a complaint names its source, the key and what is allowed."""

import re
from collections.abc import Sequence
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from nbhelpers.errors import BadInput
from nbhelpers.settings.sections import Section
from nbhelpers.settings.sources import Layer, closest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most", "multiple_of": "a multiple of"}


def check_names(layers: Sequence[Layer], sections: dict[str, type[Section]]) -> None:
    """Refuse unknown sections, sections that are no mapping and unknown keys, in the layer that holds them.

    Raises:
        BadInput: names the source, the key, a suggestion and the known names.
    """
    for layer in layers:
        for phase, content in layer.content.items():
            if phase not in sections:
                raise BadInput(f"{layer.name}: unknown section {phase!r}{_known(phase, sections)}")
            _check_keys(layer.name, phase, content, sections[phase])


def _check_keys(source: str, phase: str, content: Any, model: type[Section]) -> None:
    if content is None:  # `data:` with every key below it commented out
        return
    if not isinstance(content, dict):
        raise BadInput(
            f"{source}: section {phase} is {content!r}; allowed below it: {', '.join(model.model_fields)}"
        )
    for key in content:
        if key not in model.model_fields:
            raise BadInput(f"{source}: unknown key {phase}.{key}{_known(str(key), model.model_fields)}")


def _known(word: str, names: Any) -> str:
    return f"{closest(word, names)}; allowed: {', '.join(names)}"


def check_section(
    phase: str, values: dict[str, Any], model: type[Section], layers: Sequence[Layer]
) -> Section:
    """Build a section from plain values.

    Raises:
        BadInput: names the source, the full key, the value and what is allowed.
    """
    for key, value in values.items():
        # pydantic would read `true` as the number 1; a person who writes it meant another key.
        if isinstance(value, bool) and _WORDS[bool] not in describe(model.model_fields[key]):
            raise BadInput(_complaint(phase, key, value, describe(model.model_fields[key]), layers))
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        wanted = describe(model.model_fields[key]) if key else ""
        raise BadInput(_complaint(phase, key, values.get(key), _wanted(first, wanted), layers)) from error


def _wanted(error: "ErrorDetails", description: str) -> str:
    """What is allowed; a check written by the room itself says it best."""
    own = error["type"] in {"value_error", "assertion_error"}
    return error["msg"].partition(", ")[2] if own else description


def _complaint(phase: str, key: str, value: Any, wanted: str, layers: Sequence[Layer]) -> str:
    if not key:  # a check over several keys of the section
        return f"{layers[-1].name}: section {phase}: {wanted}"
    hint = closest(value, re.findall(r"'([^']+)'", wanted)) if isinstance(value, str) else ""
    shown = "missing" if value is None else repr(value)
    source, raw = _set_by(phase, key, layers)
    if (
        isinstance(raw, str) and "${" in raw
    ):  # the file does not hold the value itself: say where it came from
        shown += f" (from {raw})"
    return f"{source}: {phase}.{key} is {shown}{hint}; allowed: {wanted}"


def source_of(full_key: str, layers: Sequence[Layer]) -> str:
    """The last layer that sets `phase.key`: that is the one whose value counts."""
    phase, key = [*full_key.split("."), ""][:2]
    return _set_by(phase, key, layers)[0]


def _set_by(phase: str, key: str, layers: Sequence[Layer]) -> tuple[str, Any]:
    """The last layer that sets a key, and the value as written there."""
    for layer in reversed(layers):
        section = layer.content.get(phase) or {}
        if key in section:
            return layer.name, section[key]
    return "settings", None


def describe(field: FieldInfo) -> str:
    """What a field takes, for people: `a whole number at least 0, 'auto'`."""
    return ", ".join(dict.fromkeys(_parts(field.annotation, field.metadata)))


def _parts(annotation: Any, marks: Sequence[Any]) -> list[str]:
    """One phrase per type and one per literal; `marks` are the bounds that stand with the type."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _parts(
            arguments[0], [inner for mark in arguments[1:] for inner in getattr(mark, "metadata", [mark])]
        )
    if origin in {Union, UnionType}:
        return [phrase for part in arguments for phrase in _parts(part, marks)]
    if origin is Literal:
        return [repr(choice) for choice in arguments]
    kind = origin or annotation
    word = _WORDS.get(kind) or f"a {getattr(kind, '__name__', kind)}"
    return [f"{word} {' and '.join(bounds)}" if (bounds := _bounds(marks)) else word]


def _bounds(marks: Sequence[Any]) -> list[str]:
    found = [(word, getattr(mark, name, None)) for mark in marks for name, word in _BOUNDS.items()]
    return [f"{word} {limit:g}" for word, limit in found if limit is not None]
