"""Kinds of damage and their controls: what their levels mean, and one damage as it is asked for.

`mult_gauss` multiplies each weight by 1 + sigma * n with n standard normal; `ablation` sets a random share to
zero; `uni_quant` rounds each tensor to L evenly spaced levels between its least and its largest value.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from nbhelpers.degrade.groups import parse_group
from nbhelpers.errors import BadInput


@dataclass(frozen=True)
class Method:
    """One kind of damage.

    Attributes:
        noise: what is drawn, `normal`, `uniform` or nothing; a control draws what its method draws.
        unit: of the level, for axes.
        bounds: least and largest level; level 0, which leaves everything as it is, is always allowed.
        control_of: the method it is a control of, or "".
    """

    noise: str
    unit: str
    bounds: tuple[float, float]
    control_of: str = ""

    @property
    def repeats(self) -> bool:
        """Whether a second draw differs from the first."""
        return bool(self.noise)


METHODS: Mapping[str, Method] = {
    "mult_gauss": Method("normal", "sigma", (0.0, 10.0)),
    "ablation": Method("uniform", "share of weights set to 0", (0.0, 1.0)),
    "uni_quant": Method("", "levels", (2.0, 65536.0)),
    # The noise of mult_gauss, each tensor then brought back to the norm it had.
    "norm_matched": Method("normal", "sigma", (0.0, 10.0), "mult_gauss"),
    # The growth of the norm that mult_gauss brings, without its noise.
    "gain_only": Method("", "sigma", (0.0, 10.0), "mult_gauss"),
    # As many weights set to 0 as ablation would, in the text weights outside the group.
    "mask_elsewhere": Method("uniform", "share of weights set to 0", (0.0, 1.0), "ablation"),
}


@dataclass(frozen=True)
class Lesion:
    """One damage to one group.

    Attributes:
        method: one of `METHODS`.
        group: see `parse_group`.
        level: sigma, share or number of levels; 0 is the sham, which runs through everything and changes
            nothing.
        repeat: number of the draw.
        experiment: enters every seed, so that two experiments draw differently.
    """

    method: str
    group: str
    level: float
    repeat: int = 0
    experiment: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no damage.

        Raises:
            BadInput: unknown method, unreadable group, or a level outside the method's bounds.
        """
        if self.method not in METHODS:
            raise BadInput(f"method {self.method!r}: there are {', '.join(METHODS)}")
        parse_group(self.group)
        low, high = METHODS[self.method].bounds
        if self.level != 0 and not low <= self.level <= high:
            unit = METHODS[self.method].unit
            raise BadInput(f"{self.method} at {self.level:g}: {unit} must be 0 or from {low:g} to {high:g}")
        if self.method == "uni_quant" and self.level != int(self.level):
            raise BadInput(f"uni_quant at {self.level:g}: the number of levels is a whole number")
