"""What a setting takes, in words for people."""

from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from nbhelpers.settings.sections import Section

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most", "multiple_of": "a multiple of"}


def described(model: type[Section], key: str) -> str:
    """What a key of a section takes."""
    return describe(model.model_fields[key])


def takes_truth(model: type[Section], key: str) -> bool:
    """Whether true and false are values of the key."""
    return _WORDS[bool] in described(model, key)


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
    if kind in {tuple, list}:  # YAML has lists alone
        inner = [part for part in arguments if part is not Ellipsis]
        return [f"a list of {' or '.join(_parts(inner[0], ())) if inner else 'values'}"]
    word = _WORDS.get(kind) or f"a {getattr(kind, '__name__', kind)}"
    return [f"{word} {' and '.join(bounds)}" if (bounds := _bounds(marks)) else word]


def _bounds(marks: Sequence[Any]) -> list[str]:
    found = [(word, getattr(mark, name, None)) for mark in marks for name, word in _BOUNDS.items()]
    return [f"{word} {limit:g}" for word, limit in found if limit is not None]
