"""Damage to chosen weights, done in place: seeded, in float32, block by block."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbhelpers.degrade.blocks import blocks, draw, energy
from nbhelpers.degrade.groups import Part, resolve
from nbhelpers.degrade.methods import METHODS, Lesion
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nbhelpers.models import Family

_NOT_ELSEWHERE = frozenset({"text.norm"})  # a zeroed norm does more than its size says


@dataclass(frozen=True)
class LesionReport:
    """What a lesion did.

    Attributes:
        tensors: how many it went through.
        values: how many values those hold.
        changed: how many of the values are not what they were.
        zeroed: how many of the values are zero now and were not.
        rms_before: root mean square of the values (of 1 + w in norms that add 1).
        rms_after: the same afterwards.
        also: further roles of the weights touched, such as an embedding's that is the output head too.
        offset: tensors whose module adds 1 to the weight; the lesion is of the sum.
    """

    tensors: int
    values: int
    changed: int
    zeroed: int
    rms_before: float
    rms_after: float
    also: tuple[str, ...]
    offset: int


def apply_lesion(model: "nn.Module", family: "Family", lesion: Lesion) -> LesionReport:
    """Damage a model's weights in place; a `models.Snapshot` brings them back.

    Noise is drawn on the CPU whatever the model's device, from a seed of (experiment, role, level, repeat,
    tensor name): a lesion is the same on every machine, in every order and after a resume; and the lesion
    of two roles together is that of each, side by side.

    Args:
        model: with weights in a floating format, on any device.
        family: of the model.
        lesion: see there.

    Raises:
        BadInput: an unknown or empty group, packed weights, or more to be masked elsewhere than there is.
    """
    import torch

    from nbhelpers.models import tied

    parts = target(model, family, lesion)
    check_unpacked(parts)
    level = _level(model, family, lesion, parts)
    with torch.no_grad():
        done = [_damage(part, lesion, level) for part in parts]
        torch.autograd.graph.increment_version([part.parameter for part in parts])
    both = tied(model, family)
    also = {role for part in parts for role in both.get(part.name.partition("#")[0], ())[1:]}
    values, changed, zeroed = (sum(one[place] for one in done) for place in range(3))
    before, after = (sum(one[place] for one in done) for place in (3, 4))
    return LesionReport(
        len(parts), int(values), int(changed), int(zeroed), (before / values) ** 0.5, (after / values) ** 0.5,
        tuple(sorted(also)), sum(part.offset != 0 for part in parts),
    )  # fmt: skip


def target(model: "nn.Module", family: "Family", lesion: Lesion) -> list[Part]:
    """The pieces a lesion changes: its group's; for `mask_elsewhere` the text weights outside the group."""
    parts = resolve(model, family, lesion.group)
    if lesion.method != "mask_elsewhere":
        return parts
    inside = {id(part.parameter) for part in parts}
    return [
        part
        for part in resolve(model, family, "all_text")
        if id(part.parameter) not in inside and part.role not in _NOT_ELSEWHERE
    ]


def _level(model: "nn.Module", family: "Family", lesion: Lesion, parts: Sequence[Part]) -> float:
    if lesion.method != "mask_elsewhere":
        return lesion.level
    inside, outside = size_of(resolve(model, family, lesion.group)), size_of(parts)
    if lesion.level * inside > outside:
        raise BadInput(
            f"mask_elsewhere of {lesion.group} at {lesion.level:g}: {lesion.level * inside:,.0f} values are "
            f"to be masked and only {outside:,} lie elsewhere; levels up to {outside / inside:.2f} can be "
            "matched"
        )
    return lesion.level * inside / outside


def size_of(parts: Sequence[Part]) -> int:
    """Number of values of some pieces."""
    return sum(part.values.numel() for part in parts)


def check_unpacked(parts: Sequence[Part]) -> None:
    """Refuse packed weights.

    Raises:
        BadInput: names the first packed tensor and what can be done.
    """
    for part in parts:
        state = getattr(part.parameter, "quant_state", None)
        if state is not None or not part.parameter.is_floating_point():
            kind = getattr(state, "quant_type", str(part.parameter.dtype).removeprefix("torch."))
            raise BadInput(
                f"{part.name}: is packed ({kind}), and noise on packed numbers is no noise on weights; load "
                "without packing, or unpack first (degrade.unpack=true)"
            )


def _damage(part: Part, lesion: Lesion, level: float) -> tuple[int, int, int, float, float]:
    """Damage one piece; (values, changed, zeroed, energy before, energy after)."""
    weights = part.values
    before = energy(weights, part.offset)
    changed = zeroed = 0
    for place, new in _damaged(part, lesion, level, before):
        old = place.clone()
        place.copy_(new)  # rounds to the weight's own format, once
        changed += int((place != old).sum())
        zeroed += int(((place == -part.offset) & (old != -part.offset)).sum())
    return weights.numel(), changed, zeroed, before, energy(weights, part.offset)


def _damaged(part: Part, lesion: Lesion, level: float, before: float) -> "Iterator[tuple[Tensor, Tensor]]":
    """Each block of a piece with the float32 values that are to take its place."""
    ends = _ends(part.values, part.offset) if lesion.method == "uni_quant" else (0.0, 0.0)
    if level == 0:
        yield from ((place, place.float()) for place in blocks(part.values))
        return
    scale = 1.0
    if lesion.method == "norm_matched":
        after = sum(float(new.double().square().sum()) for _, new in _plain(part, lesion, level, ends))
        scale = (before / after) ** 0.5 if after else 1.0
    for place, new in _plain(part, lesion, level, ends):
        yield place, new * scale - part.offset if scale != 1.0 or part.offset else new


def _plain(
    part: Part, lesion: Lesion, level: float, ends: tuple[float, float]
) -> "Iterator[tuple[Tensor, Tensor]]":
    """The method itself on the effective weights (offset added), block by block; the draw can be repeated."""
    noise = METHODS[lesion.method].noise
    key = (lesion.experiment, part.role, lesion.level, lesion.repeat, part.name)
    for number, place in enumerate(blocks(part.values)):
        weights = place.float() + part.offset if part.offset else place.float()
        if noise:
            drawn = draw(noise, place.shape, (*key, number)).to(weights.device)
            damaged = (
                weights * (1 + level * drawn) if noise == "normal" else weights.where(drawn >= level, 0.0)
            )
            yield place, damaged
        elif lesion.method == "gain_only":
            yield place, weights * (1 + level**2) ** 0.5
        else:
            yield place, quantized(weights, int(level), *ends)


def _ends(weights: "Tensor", offset: float) -> tuple[float, float]:
    low, high = weights.aminmax()
    return float(low) + offset, float(high) + offset


def quantized(weights: "Tensor", levels: int, low: float, high: float) -> "Tensor":
    """Weights rounded to the nearest of so many levels, evenly spaced from `low` to `high`, both included.

    Args:
        weights: float32, any shape.
        levels: 2 or more.
        low: value of the first level.
        high: value of the last level.
    """
    if high <= low:
        return weights
    step = (high - low) / (levels - 1)
    return ((weights - low) / step).round() * step + low
