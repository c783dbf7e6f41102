"""Parameters by what they do: every one has exactly one role, by its name and the family's patterns."""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

from nbhelpers.errors import BadInput
from nbhelpers.models.families.record import Family

if TYPE_CHECKING:
    from torch import nn

# What peft puts into names: the wrapper's prefix, the wrapped layer, the low-rank pair of an adapter.
_PEFT = re.compile(
    r"^base_model\.model\.|\.base_layer(?=\.)|\.lora_[AB]\.[^.]+(?=\.)|\.lora_[AB](?=\.weight$)"
)
_LAYER = re.compile(r"(?:^|\.)(?:layers?|blocks)\.(\d+)\.")


def plain_name(name: str) -> str:
    """A parameter's name as it is without an adapter; a LoRA matrix gets the name of its layer's weight."""
    return _PEFT.sub("", name)


@lru_cache(maxsize=4096)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


def matches(patterns: tuple[str, ...], name: str) -> bool:
    """Whether one of the regular expressions matches the whole name."""
    return _compiled(patterns).fullmatch(name) is not None


def role_of(family: Family, parameter_name: str) -> str:
    """The one role of a parameter.

    Args:
        family: of the model.
        parameter_name: as `named_parameters()` gives it, with or without an adapter.

    Raises:
        BadInput: the family's patterns give it none, or more than one.
    """
    name = plain_name(parameter_name)
    found = [role for role, patterns in family.roles.items() if matches(patterns, name)]
    if len(found) == 1:
        return found[0]
    what = f"more than one role: {', '.join(found)}" if found else "no role"
    raise BadInput(
        f"{family.model_type}: parameter {parameter_name} has {what}; the patterns in "
        "nbhelpers/models/families do not fit this model"
    )


def roles_of(model: "nn.Module", family: Family) -> dict[str, list[str]]:
    """Names of a model's parameters by role, in the family's order; roles it has none of are left out.

    A tied weight stands under the role of its first name; `tied` tells its others.

    Raises:
        BadInput: a parameter without exactly one role.
    """
    names: dict[str, list[str]] = {role: [] for role in family.roles}
    for name, _ in model.named_parameters():
        names[role_of(family, name)].append(name)
    return {role: found for role, found in names.items() if found}


def count_roles(model: "nn.Module", family: Family) -> dict[str, int]:
    """Number of values by role; their sum is the model's number of parameters.

    A weight packed to 4 bits counts with the values it stands for.

    Raises:
        BadInput: a parameter without exactly one role.
    """
    sizes = {name: parameter_values(parameter) for name, parameter in model.named_parameters()}
    return {role: sum(sizes[name] for name in names) for role, names in roles_of(model, family).items()}


def parameter_values(parameter: "nn.Parameter") -> int:
    """Number of values a parameter stands for, packed to 4 bits or not."""
    state = getattr(parameter, "quant_state", None)
    return int(state.shape.numel()) if state is not None else parameter.numel()


def tied(model: "nn.Module", family: Family) -> dict[str, tuple[str, ...]]:
    """Parameters that play several roles at once, such as an embedding that is also the output head.

    Returns:
        First name -> all its roles, the first name's own role in front. Weights shared within one role are
        left out.
    """
    roles: dict[int, list[str]] = {}
    first: dict[int, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        first.setdefault(id(parameter), name)
        roles.setdefault(id(parameter), []).append(role_of(family, name))
    several = {key: tuple(dict.fromkeys(names)) for key, names in roles.items()}
    return {first[key]: names for key, names in several.items() if len(names) > 1}


def expand_roles(family: Family, names: str | Iterable[str]) -> tuple[str, ...]:
    """Role names from short ones.

    Args:
        family: whose roles are meant.
        names: a role (`text.attention`), the first part of several (`text`), or a pattern (`*.norm`); one or
            many.

    Returns:
        Roles in the family's order, each once.

    Raises:
        BadInput: a name that fits no role, or no names; lists what exists.
    """
    wanted = [names] if isinstance(names, str) else list(names)
    found: set[str] = set()
    for name in wanted:
        fits = {r for r in family.roles if r == name or r.startswith(f"{name}.") or fnmatchcase(r, name)}
        if not fits:
            raise BadInput(f"role {name!r}: {family.model_type} has none; {_existing(family)}")
        found |= fits
    if not found:
        raise BadInput(f"no roles were given; {_existing(family)}")
    return tuple(role for role in family.roles if role in found)


def _existing(family: Family) -> str:
    return f"its roles: {', '.join(family.roles)}"


def layer_of(name: str) -> int | None:
    """The number of the layer a parameter or module is in (of nested ones the outer); None outside layers."""
    found = _LAYER.search(plain_name(name))
    return int(found.group(1)) if found else None


def select(
    model: "nn.Module",
    family: Family,
    roles: str | Sequence[str],
    layers: int | Iterable[int] | None = None,
) -> Mapping[str, "nn.Parameter"]:
    """Parameters of some roles, all or those of some layers.

    Args:
        model: with or without an adapter.
        family: of the model.
        roles: as `expand_roles` takes them. A tied weight is selected by any of its roles.
        layers: layer numbers as they stand in the names, such as `3` or `range(0, 8)`; None takes all, and
            what lies outside layers too.

    Returns:
        First name -> parameter, in the model's order.

    Raises:
        BadInput: unknown roles, or nothing selected; lists what exists.
    """
    wanted = set(expand_roles(family, roles))
    both = tied(model, family)
    chosen = {
        name: parameter
        for name, parameter in model.named_parameters()
        if wanted & set(both.get(name, (role_of(family, name),)))
    }
    if not chosen:
        there = ", ".join(roles_of(model, family))
        raise BadInput(f"roles {', '.join(wanted)}: this model has no such parameters; it has: {there}")
    return chosen if layers is None else _of_layers(chosen, layers)


def _of_layers(chosen: dict[str, "nn.Parameter"], layers: int | Iterable[int]) -> dict[str, "nn.Parameter"]:
    numbers = {layers} if isinstance(layers, int) else set(layers)
    there = sorted({number for name in chosen if (number := layer_of(name)) is not None})
    missing = sorted(numbers - set(there))
    if missing or not numbers:
        known = f"{there[0]} to {there[-1]}" if there else "none: these roles lie outside layers"
        raise BadInput(f"layers {missing or 'given: none'}: not in these roles; there are layers {known}")
    return {name: parameter for name, parameter in chosen.items() if layer_of(name) in numbers}
