"""Which weights a lesion touches: groups of roles, some of their layers, single attention heads."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbhelpers.degrade.norms import gain_offsets
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nbhelpers.models import Family

# Group -> roles, as `models.select` takes them. A head that is tied to the embedding is the embedding.
GROUPS: dict[str, tuple[str, ...]] = {
    "attn_only": ("text.attention",),
    "mlp_only": ("text.mlp",),
    "embed_only": ("text.embedding",),
    "attn_mlp": ("text.attention", "text.mlp"),
    "norms": ("text.norm",),
    "all_text": ("text",),
    "vision": ("vision",),
    "projector": ("projector",),
}
_SPELLED = re.compile(r"(?P<base>[a-z_.*]+)(@(?P<layers>[\d,-]+))?(#(?P<heads>[\d,-]+))?")
_HEADED = {"q_proj.weight": 0, "q_proj.bias": 0, "o_proj.weight": 1}  # heads lie along this dimension


@dataclass(frozen=True)
class Group:
    """A group as it was asked for.

    Attributes:
        name: as spelled, such as `attn_only`, `mlp_only@0-7`, `text.attention@3#0,2`.
        roles: that it stands for, short or whole.
        layers: numbers of layers; None for all, and for what lies outside layers.
        heads: numbers of attention heads; None for whole tensors.
    """

    name: str
    roles: tuple[str, ...]
    layers: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Part:
    """One piece of a parameter that a lesion changes.

    Attributes:
        name: of the parameter, with `#h` behind it for the piece of one head.
        role: of the parameter.
        parameter: the whole parameter.
        piece: (dimension, first, length) of a head's rows or columns; None for all of it.
        offset: what the module adds to the weight before it uses it; 1 in norms that compute (1 + w) * x.
    """

    name: str
    role: str
    parameter: "nn.Parameter"
    piece: tuple[int, int, int] | None = None
    offset: float = 0.0

    @property
    def values(self) -> "Tensor":
        """A view of the weights, writable, shape (...) of the parameter or of the piece."""
        whole = self.parameter.data
        return whole if self.piece is None else whole.narrow(*self.piece)


def parse_group(name: str) -> Group:
    """Read a group: a name of `GROUPS` or a role, then `@layers`, then `#heads`.

    Args:
        name: such as `attn_only`, `vision.mlp`, `mlp_only@0-7`, `attn_only@3#0,2`.

    Raises:
        BadInput: it cannot be read; says how it is spelled.
    """
    found = _SPELLED.fullmatch(name.strip())
    if found is None:
        raise BadInput(
            f"group {name!r}: write a group ({', '.join(GROUPS)}) or a role (text.mlp), then @ and layers "
            "(@3, @0-7), then # and heads (#0,2)"
        )
    base = found["base"]
    layers, heads = (_numbers(name, found[key]) for key in ("layers", "heads"))
    return Group(name.strip(), GROUPS.get(base, (base,)), layers, heads)


def _numbers(name: str, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    numbers: set[int] = set()
    for piece in text.split(","):
        ends = re.fullmatch(r"(\d+)(?:-(\d+))?", piece)
        if ends is None or int(ends[2] or ends[1]) < int(ends[1]):
            raise BadInput(f"group {name!r}: {piece!r} is no number and no range such as 0-7")
        numbers |= set(range(int(ends[1]), int(ends[2] or ends[1]) + 1))
    return tuple(sorted(numbers))


def resolve(model: "nn.Module", family: "Family", group: str | Group) -> list[Part]:
    """The pieces of a model that a group stands for, in the model's order.

    Args:
        model: on any device, the meta device included.
        family: of the model.
        group: see `parse_group`.

    Raises:
        BadInput: unknown or empty; lists what this model has.
    """
    from nbhelpers.models import role_of, roles_of, select

    asked = parse_group(group) if isinstance(group, str) else group
    try:
        chosen = select(model, family, asked.roles, asked.layers)
    except BadInput as error:
        groups = ", ".join(groups_of(model, family))
        have = ", ".join(roles_of(model, family))
        raise BadInput(
            f"group {asked.name!r}: {error}; groups of this model: {groups}; roles: {have}"
        ) from None
    offsets = gain_offsets(model, chosen)
    parts = [Part(n, role_of(family, n), p, offset=offsets.get(n, 0.0)) for n, p in chosen.items()]
    return parts if asked.heads is None else list(_heads(model, asked, parts))


def groups_of(model: "nn.Module", family: "Family") -> dict[str, int]:
    """Number of values by group, for the groups this model has weights of; groups overlap."""
    from nbhelpers.models import count_roles

    counts = count_roles(model, family)
    found = {
        name: sum(n for role, n in counts.items() if any(_under(role, one) for one in roles))
        for name, roles in GROUPS.items()
    }
    return {name: n for name, n in found.items() if n}


def _under(role: str, name: str) -> bool:
    return role == name or role.startswith(f"{name}.")


def _heads(model: Any, group: Group, parts: Sequence[Part]) -> Iterator[Part]:
    """Rows of the query and columns of the output projection; keys and values serve several heads."""
    text = model.config.get_text_config()
    count = int(text.num_attention_heads)
    missing = [head for head in group.heads or () if head >= count]
    if missing:
        raise BadInput(f"group {group.name!r}: heads {missing}: this model has heads 0 to {count - 1}")
    headed = [(part, dim) for part in parts if (dim := _head_dimension(part)) is not None]
    if not headed:
        raise BadInput(f"group {group.name!r}: only text attention has heads; use attn_only@layers#heads")
    for part, dim in headed:
        size = part.parameter.shape[dim] // count
        for head in group.heads or ():
            yield Part(f"{part.name}#{head}", part.role, part.parameter, (dim, head * size, size))


def _head_dimension(part: Part) -> int | None:
    if part.role != "text.attention":
        return None
    return next((dim for end, dim in _HEADED.items() if part.name.endswith(end)), None)
