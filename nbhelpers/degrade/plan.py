"""The grid of an experiment: every lesion it will make, in the order it makes them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbhelpers.degrade.groups import parse_group
from nbhelpers.degrade.lesions import size_of, target
from nbhelpers.degrade.methods import METHODS, Lesion
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from torch import nn

    from nbhelpers.models import Family
    from nbhelpers.settings import DegradeSection

BASELINE = "baseline"


@dataclass(frozen=True)
class Cell:
    """One state of the model that is questioned.

    Attributes:
        method: one of `METHODS`; empty for the baseline.
        group: see `parse_group`.
        level: 0 for a sham.
        repeat: number of the draw.
    """

    method: str = ""
    group: str = ""
    level: float = 0.0
    repeat: int = 0

    @property
    def name(self) -> str:
        """Such as `mult_gauss/attn_only/0.4/2`, or `baseline`."""
        return f"{self.method}/{self.group}/{self.level:g}/{self.repeat}" if self.method else BASELINE

    def lesion(self, experiment: str) -> Lesion | None:
        """The damage of this cell; none for the baseline."""
        if not self.method:
            return None
        return Lesion(self.method, self.group, self.level, self.repeat, experiment)


def grid(settings: "DegradeSection") -> list[Cell]:
    """All cells: the baseline, a sham of each method and group, then repeat after repeat all levels.

    So an experiment that is stopped early has few repeats of everything and not all of something.

    Raises:
        BadInput: an unknown method or group, a control among the methods, or no levels for a group.
    """
    lines = list(_lines(settings))
    found = [Cell()] + [Cell(method, group) for method, group, _ in lines]
    for repeat in range(settings.repeats):
        for method, group, levels in lines:
            if repeat == 0 or METHODS[method].repeats:
                found += [Cell(method, group, level, repeat) for level in levels if level]
    return list(dict.fromkeys(found))


def _lines(settings: "DegradeSection") -> Iterator[tuple[str, str, tuple[float, ...]]]:
    """(method, group, levels) of each curve."""
    for method in settings.methods:
        if method not in METHODS or METHODS[method].control_of:
            there = ", ".join(name for name, one in METHODS.items() if not one.control_of)
            raise BadInput(f"degrade.methods: {method!r} is none of {there}")
        for group in settings.targets:
            yield method, group, levels_of(settings, method, group)
    for control in settings.controls:
        if control not in METHODS or not METHODS[control].control_of:
            there = ", ".join(name for name, one in METHODS.items() if one.control_of)
            raise BadInput(f"degrade.controls: {control!r} is none of {there}")
        if METHODS[control].control_of in settings.methods:
            for group in settings.control_targets:
                yield control, group, levels_of(settings, METHODS[control].control_of, group)


def levels_of(settings: "DegradeSection", method: str, group: str) -> tuple[float, ...]:
    """Levels of a method for a group: its own, those of the group without layers and heads, or the default.

    Raises:
        BadInput: there are none; says where to put them.
    """
    parse_group(group)
    given = settings.levels.get(method, {})
    for name in (group, group.partition("@")[0].partition("#")[0], "default"):
        if name in given:
            return tuple(given[name])
    raise BadInput(f"degrade.levels.{method}: has no levels for {group!r} and no `default`")


def check_grid(cells: Sequence[Cell], model: "nn.Module", family: "Family") -> None:
    """Refuse a grid the model cannot go through, before the first lesion is made.

    Args:
        cells: of `grid`.
        model: on any device, the meta device included.
        family: of the model.

    Raises:
        BadInput: an unknown or empty group, a level out of bounds, or more to mask elsewhere than there is.
    """
    sizes: dict[tuple[str, str], int] = {}
    for cell in cells:
        lesion = cell.lesion("")
        if lesion is None:
            continue
        for method in {lesion.method, "ablation"}:
            key = (method, lesion.group)
            if key not in sizes:
                sizes[key] = size_of(target(model, family, Lesion(method, lesion.group, 0)))
        inside, outside = sizes["ablation", lesion.group], sizes[lesion.method, lesion.group]
        if lesion.method == "mask_elsewhere" and lesion.level * inside > outside:
            raise BadInput(
                f"mask_elsewhere of {lesion.group} at {lesion.level:g}: only {outside:,} values lie "
                f"elsewhere; levels up to {outside / inside:.2f} can be matched"
            )
