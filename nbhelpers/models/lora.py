"""LoRA (Hu et al. 2021) by role, through peft: what it wraps is planned, counted and checked."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.models.adapter_check import is_adapter
from nbhelpers.models.families.record import Family
from nbhelpers.models.roles import matches, parameter_values, plain_name
from nbhelpers.models.wrapping import freeze_batch_norm, give_input_embeddings

if TYPE_CHECKING:
    from torch import nn

__all__ = ["LoraReport", "add_lora", "give_input_embeddings", "lora_modules", "lora_roles"]


@dataclass(frozen=True)
class LoraReport:
    """What `add_lora` did.

    Attributes:
        model: the peft model; the one given was changed in place and is inside it.
        modules: names of the wrapped layers in the model that was given, in its order.
        trainable: values of the adapter, all that is trained.
        total: values of the model without the adapter.
        roles: whose layers were wrapped.
        by_role: adapter values by role.
        frozen_batch_norm: names of batch normalisation layers held constant.
    """

    model: Any
    modules: tuple[str, ...]
    trainable: int
    total: int
    roles: tuple[str, ...]
    by_role: dict[str, int]
    frozen_batch_norm: tuple[str, ...]

    @property
    def share(self) -> float:
        """Trained values as a share of the model's own."""
        return self.trainable / self.total

    def __str__(self) -> str:
        return (
            f"LoRA on {len(self.modules)} layers ({', '.join(self.roles)}): {self.trainable:,} of "
            f"{self.total:,} values trained, {self.share:.2%}"
        )


def lora_roles(family: Family, names: str | Iterable[str] | None = None) -> tuple[str, ...]:
    """Roles whose linear layers LoRA may wrap.

    Args:
        family: whose roles are meant.
        names: a role, the first part of several (`text`: its attention and MLP) or a pattern (`*.attention`);
            one or many. None takes the family's default.

    Raises:
        BadInput: a name without linear layers for LoRA; lists those that have some.
    """
    if names is None:
        return family.lora_roles
    found: set[str] = set()
    for name in [names] if isinstance(names, str) else list(names):
        fits = {r for r in family.linears if r == name or r.startswith(f"{name}.") or fnmatchcase(r, name)}
        if not fits:
            raise BadInput(
                f"role {name!r}: no linear layers for LoRA in {family.model_type}; {_having(family)}"
            )
        found |= fits
    if not found:
        raise BadInput(f"no roles were given for LoRA; {_having(family)}")
    return tuple(role for role in family.linears if role in found)


def _having(family: Family) -> str:
    return f"roles that have some: {', '.join(family.linears)}"


def lora_modules(
    model: "nn.Module",
    family: Family,
    roles: str | Iterable[str] | None = None,
    modules: Sequence[str] | None = None,
) -> dict[str, str]:
    r"""The layers LoRA would wrap; nothing is changed.

    Args:
        model: not yet wrapped; the meta device will do.
        family: of the model.
        roles: see `lora_roles`.
        modules: regular expressions that narrow the choice within the roles, each for the last part of the
            names or the whole (`q_proj`, `.*layers\.3\..*`); None takes all.

    Returns:
        Module name -> role, in the model's order.

    Raises:
        BadInput: a role or an expression that matches no linear layer of this model, or one that only matches
            outside the roles.
    """
    chosen = lora_roles(family, roles)
    linear = [name for name, module in model.named_modules() if _takes_lora(module)]
    found = {n: role for n in linear for role in chosen if matches(family.linears[role], n)}
    if empty := [role for role in chosen if role not in found.values()]:
        raise BadInput(f"LoRA: this {family.model_type} has no linear layers of role {', '.join(empty)}")
    return found if modules is None else _narrowed(found, linear, modules)


def _narrowed(found: dict[str, str], linear: Sequence[str], modules: Sequence[str]) -> dict[str, str]:
    """Those of the layers found in the roles that an expression names; each expression must name one."""
    for pattern in modules:
        if not any(_named(pattern, name) for name in found):
            outside = next((name for name in linear if _named(pattern, name)), None)
            where = f"it matches {outside}, outside them" if outside else "nor any other linear layer"
            roles = ", ".join(dict.fromkeys(found.values()))
            raise BadInput(f"LoRA: {pattern!r} matches no layer of roles {roles}; {where}")
    return {name: role for name, role in found.items() if any(_named(pattern, name) for pattern in modules)}


def _takes_lora(module: "nn.Module") -> bool:
    from torch import nn
    from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

    # `nn.MultiheadAttention` reads the weight of the latter and never calls it: LoRA would do nothing there.
    return isinstance(module, nn.Linear) and not isinstance(module, NonDynamicallyQuantizableLinear)


def _named(pattern: str, name: str) -> bool:
    return re.fullmatch(rf"(?:.*\.)?(?:{pattern})", name) is not None


def add_lora(
    model: "nn.Module",
    family: Family,
    roles: str | Iterable[str] | None = None,
    r: int = 16,
    alpha: int = 32,
    dropout: float = 0.1,
    modules: Sequence[str] | None = None,
) -> LoraReport:
    """Freeze a model and put a LoRA adapter on the linear layers of some roles.

    Args:
        model: a transformers model without an adapter; changed in place. Its weights may be packed.
        family: of the model.
        roles: see `lora_roles`.
        r: rank of the pairs, 1 or more.
        alpha: their output is scaled by alpha / r.
        dropout: share of a layer's inputs dropped on the adapter's way while training, 0 to below 1.
        modules: see `lora_modules`.

    Raises:
        BadInput: values out of range, a model with an adapter, or nothing to wrap (see `lora_modules`).
        CheckFailed: after wrapping, something outside the plan was wrapped or would be trained.
    """
    from peft import LoraConfig, get_peft_model

    _check_arguments(model, r, alpha, dropout)
    plan = lora_modules(model, family, roles, modules)
    total = sum(parameter_values(parameter) for parameter in model.parameters())
    give_input_embeddings(model)
    # One expression for whole names: in a list each name would count as an ending too.
    exact = "|".join(re.escape(name) for name in plan)
    config = LoraConfig(r=r, lora_alpha=alpha, lora_dropout=dropout, target_modules=exact, bias="none")
    wrapped = get_peft_model(model, config)
    held = freeze_batch_norm(wrapped)
    by_role = _check_wrapped(wrapped, plan)
    roles_taken = tuple(role for role in family.linears if role in by_role)
    return LoraReport(wrapped, tuple(plan), sum(by_role.values()), total, roles_taken, by_role, held)


def _check_arguments(model: "nn.Module", r: int, alpha: int, dropout: float) -> None:
    if r < 1 or alpha <= 0 or not 0 <= dropout < 1:
        raise BadInput(
            f"LoRA r={r}, alpha={alpha}, dropout={dropout}: use r >= 1, alpha > 0, 0 <= dropout < 1"
        )
    if any(is_adapter(name) for name, _ in model.named_parameters()):
        raise BadInput("the model has a LoRA adapter already; merge it or load the model afresh")


def _check_wrapped(wrapped: "nn.Module", plan: dict[str, str]) -> dict[str, int]:
    """Adapter values by role, after comparing what asks for a gradient with the plan."""
    counts = dict.fromkeys(plan.values(), 0)
    reached: set[str] = set()
    for name, parameter in wrapped.named_parameters():
        if not parameter.requires_grad:
            continue
        module = plain_name(name).removesuffix(".weight")
        if not is_adapter(name) or module not in plan:
            raise CheckFailed(f"LoRA: {name} would be trained, but is outside the roles that were asked for")
        reached.add(module)
        counts[plan[module]] += parameter.numel()
    if missed := sorted(plan.keys() - reached):
        raise CheckFailed(f"LoRA: {len(missed)} planned layers were not wrapped, such as {missed[0]}")
    return counts
