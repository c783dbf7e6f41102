"""What a photographer would say of the objects and of the place: the words augmentation is chosen by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from nbhelpers.errors import BadInput
from nbhelpers.settings.sections import Characteristic

CHARACTERISTICS: tuple[str, ...] = get_args(Characteristic)
# The first value of each is the calm one, which asks for nothing.
ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "lighting": ("stable", "variable", "poor"),
    "camera": ("fixed", "moving", "shaky"),
    "background": ("clean", "busy", "changing"),
    "distance": ("fixed", "variable", "close"),
}
INTENSITIES: tuple[str, ...] = ("low", "medium", "high")


@dataclass(frozen=True)
class Conditions:
    """What the pictures of a site are like, and how strongly training should imitate it.

    Attributes:
        characteristics: of the objects, from `CHARACTERISTICS`.
        lighting, camera, background, distance: one value each, from `ENVIRONMENT`.
        intensity: `low`, `medium` or `high`.
        seed: of everything drawn, together with the seed of each call.

    Raises:
        BadInput: a word that is not among these, or a negative seed.
    """

    characteristics: tuple[str, ...] = ()
    lighting: str = "stable"
    camera: str = "fixed"
    background: str = "clean"
    distance: str = "fixed"
    intensity: str = "medium"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse unknown words, naming those that are known."""
        if isinstance(self.characteristics, str):
            raise BadInput(f"characteristics {self.characteristics!r}: give a list of words")
        object.__setattr__(self, "characteristics", tuple(dict.fromkeys(self.characteristics)))
        for name in self.characteristics:
            _require("characteristic", name, CHARACTERISTICS)
        for key, values in ENVIRONMENT.items():
            _require(key, getattr(self, key), values)
        _require("intensity", self.intensity, INTENSITIES)
        if self.seed < 0:
            raise BadInput(f"seed {self.seed}: must be 0 or more")

    @property
    def environment(self) -> dict[str, str]:
        """The value of each side of the environment."""
        return {key: getattr(self, key) for key in ENVIRONMENT}

    @classmethod
    def of(cls, values: Any, seed: int = 0) -> "Conditions":
        """From a settings group or a mapping with these keys.

        Args:
            values: section `data.augment` or a mapping; keys that are left out keep their calm values.
            seed: used where `values` names none.

        Raises:
            BadInput: an unknown key or word.
        """
        given = dict(values) if isinstance(values, Mapping) else values.model_dump()
        unknown = set(given) - set(cls.__dataclass_fields__)
        if unknown:
            known = ", ".join(cls.__dataclass_fields__)
            raise BadInput(f"conditions: {', '.join(sorted(unknown))} is unknown; known: {known}")
        return cls(**{"seed": seed, **given})


def _require(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise BadInput(f"{what} {value!r}: is unknown; known: {', '.join(known)}")
