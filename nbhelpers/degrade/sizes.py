"""What an experiment takes with the real models: from their configurations alone, on the meta device."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbhelpers.degrade.groups import groups_of, resolve
from nbhelpers.memory.shapes import Shapes

if TYPE_CHECKING:
    from nbhelpers.models import Target

# What a T4's bus carries from pinned memory: PCIe 3.0 with 16 lanes has 15.75 GB/s, of which about 12 arrive.
BUS_BYTES_S = 12e9
# Normal numbers one core draws in a second; measured at 88 million on the machine this was written on.
DRAWS_S = 88e6


@dataclass(frozen=True)
class RealSize:
    """One model on one machine.

    Attributes:
        model: name in the catalogue.
        layers: of the text model.
        groups: number of values by group.
        dtype: number format of weights and computation, and why.
        reason: of the format.
        needed: bytes one batch needs, weights and the GPU's context included.
        fits: whether that is there.
        why: in one sentence.
        snapshot_bytes: of the intact weights of the damaged groups, in main memory.
        restore_s: predicted time to bring them back.
        noise_s: predicted time to draw noise for the largest of the groups.
    """

    model: str
    layers: int
    groups: dict[str, int]
    dtype: str
    reason: str
    needed: int
    fits: bool
    why: str
    snapshot_bytes: int
    restore_s: float
    noise_s: float


def real_size(
    name: str, targets: Sequence[str], machine: "Target", *, batch: int = 16, tokens: int = 320,
    new_tokens: int = 200,
) -> RealSize:  # fmt: skip
    """What damaging and asking a model takes; no weights and no GPU are needed.

    Args:
        name: of the catalogue.
        targets: groups that are damaged.
        machine: such as `models.T4`.
        batch: texts written at once.
        tokens: of a prompt.
        new_tokens: of a text.

    Raises:
        BadInput: an unknown model, or a group it has not.
    """
    from nbhelpers.models import family_of, full_config, plan

    config = full_config(name)
    family = family_of(config)
    choice = family.compute_dtype(machine.device, "auto", machine.capability)
    model = family.meta_model(config, choice.value)
    shapes = Shapes(batch=batch, images=0, text_tokens=tokens, new_tokens=new_tokens)
    found = plan(name, "infer", shapes, device=machine.device, capability=machine.capability)
    fits, why = found.fits(machine.bytes / 2**30)
    kept = {id(part.parameter): part.parameter for one in targets for part in resolve(model, family, one)}
    size = sum(parameter.numel() * parameter.element_size() for parameter in kept.values())
    largest = max(sum(p.values.numel() for p in resolve(model, family, one)) for one in targets)
    return RealSize(
        name, int(config.get_text_config().num_hidden_layers), groups_of(model, family), choice.value,
        choice.reason, found.needed, fits, why, size, size / BUS_BYTES_S, largest / DRAWS_S,
    )  # fmt: skip


def rung_of(names: Sequence[str], targets: Sequence[str], machine: "Target") -> tuple[str, list[RealSize]]:
    """The first model of a chain that fits a machine unpacked, and the account of each that was looked at.

    Args:
        names: of the catalogue, the most demanding first; twins are left out.
        targets: groups that are damaged.
        machine: such as `models.T4`.

    Returns:
        Its name, or the last name of the chain where none fits.
    """
    seen: list[RealSize] = []
    for name in names:
        if name.startswith("tiny/"):
            continue
        seen.append(real_size(name, targets, machine))
        if seen[-1].fits:
            return name, seen
    return names[-1], seen


def table_row(one: RealSize) -> dict[str, Any]:
    """An account as plain values for a table."""
    shown = ("attn_only", "mlp_only", "embed_only", "norms", "vision")
    counts = {name: one.groups.get(name, 0) for name in shown}
    return {
        "model": one.model, "layers": one.layers, **counts, "dtype": one.dtype, "GB needed": one.needed / 1e9,
        "fits": one.fits, "snapshot GB": one.snapshot_bytes / 1e9, "restore s": one.restore_s,
        "noise s": one.noise_s,
    }  # fmt: skip
