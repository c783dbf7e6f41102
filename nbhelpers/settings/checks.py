"""Turn merged settings into checked sections; a complaint names its source, the key and what is allowed."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from nbhelpers.errors import BadInput
from nbhelpers.settings.describe import described, takes_truth
from nbhelpers.settings.sections import Section
from nbhelpers.settings.sources import Layer, closest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Path = tuple[str, ...]


def check_names(layers: Sequence[Layer], sections: dict[str, type[Section]]) -> None:
    """Refuse unknown sections, unknown keys at any depth and groups of keys that are no mapping.

    Raises:
        BadInput: names the source, the full key, a suggestion and the known names.
    """
    for layer in layers:
        for phase, content in layer.content.items():
            if phase not in sections:
                raise BadInput(f"{layer.name}: unknown section {phase!r}{_known(phase, sections)}")
            _check_keys(layer.name, (phase,), content, sections[phase])


def _check_keys(source: str, path: Path, content: Any, model: type[Section]) -> None:
    """The keys of a section, or of a group of keys in it, and of the groups in that."""
    if content is None:  # `data:` with every key below it commented out
        return
    name = ".".join(path)
    if not isinstance(content, dict):
        what = f"section {name}" if len(path) == 1 else name
        raise BadInput(f"{source}: {what} is {content!r}; allowed below it: {', '.join(model.model_fields)}")
    for key, value in content.items():
        if key not in model.model_fields:
            raise BadInput(f"{source}: unknown key {name}.{key}{_known(str(key), model.model_fields)}")
        if (group := model.group(key)) is not None:
            _check_keys(source, (*path, key), value, group)


def _known(word: str, names: Any) -> str:
    return f"{closest(word, names)}; allowed: {', '.join(names)}"


def check_section(
    phase: str, values: dict[str, Any], model: type[Section], layers: Sequence[Layer]
) -> Section:
    """Build a section from plain values whose names were checked.

    Raises:
        BadInput: names the source, the full key, the value and what is allowed.
    """
    _check_truth_values((phase,), values, model, layers)
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        path, owner = _place(first["loc"], model)
        value = _get(values, path)
        if not path or owner.group(path[-1]) is not None:  # a check over several keys
            source = _set_by((phase, *path), layers)[0] if path else layers[-1].name
            name = ".".join((phase, *path)) if path else f"section {phase}"
            raise BadInput(f"{source}: {name}: {_wanted(first, '')}") from error
        wanted = _wanted(first, described(owner, path[-1]))
        raise BadInput(_complaint((phase, *path), value, wanted, layers)) from error


def _check_truth_values(
    path: Path, values: dict[str, Any], model: type[Section], layers: Sequence[Layer]
) -> None:
    """Pydantic would read `true` as the number 1; a person who writes it meant another key."""
    for key, value in values.items():
        if (group := model.group(key)) is not None:
            _check_truth_values((*path, key), value or {}, group, layers)
        elif isinstance(value, bool) and not takes_truth(model, key):
            raise BadInput(_complaint((*path, key), value, described(model, key), layers))


def _place(loc: tuple[int | str, ...], model: type[Section]) -> tuple[Path, type[Section]]:
    """The key of a complaint within its section, and the model that key belongs to.

    Pydantic's place goes on into lists and the members of unions; people know the key alone.
    """
    path: Path = ()
    owner = model
    for part in map(str, loc):
        if path and (group := owner.group(path[-1])) is not None:
            owner = group
        elif path:
            break
        path = (*path, part)
    return path, owner


def _wanted(error: "ErrorDetails", description: str) -> str:
    """What is allowed; a check written by the room itself says it best."""
    own = error["type"] in {"value_error", "assertion_error"}
    return error["msg"].partition(", ")[2] if own else description


def _complaint(path: Path, value: Any, wanted: str, layers: Sequence[Layer]) -> str:
    hint = closest(value, re.findall(r"'([^']+)'", wanted)) if isinstance(value, str) else ""
    shown = "missing" if value is None else repr(value)
    source, raw = _set_by(path, layers)
    if (
        isinstance(raw, str) and "${" in raw
    ):  # the file does not hold the value itself: say where it came from
        shown += f" (from {raw})"
    return f"{source}: {'.'.join(path)} is {shown}{hint}; allowed: {wanted}"


def source_of(full_key: str, layers: Sequence[Layer]) -> str:
    """The last layer that sets `phase.key` or `phase.group.key`: that is the one whose value counts."""
    return _set_by(tuple(full_key.split(".")), layers)[0]


def _set_by(path: Path, layers: Sequence[Layer]) -> tuple[str, Any]:
    """The last layer that sets a key, and the value as written there."""
    for layer in reversed(layers):
        owner = _get(layer.content, path[:-1])
        if isinstance(owner, dict) and path[-1] in owner:
            return layer.name, owner[path[-1]]
    return "settings", None


def _get(values: Any, path: Path) -> Any:
    """What lies at the end of a path of keys; none where the path breaks off."""
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values
