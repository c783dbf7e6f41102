"""Records of the model families; importing this brings no torch."""

from nbhelpers.models.families.record import Family
from nbhelpers.models.families.registry import FAMILIES, family_of

__all__ = ["FAMILIES", "Family", "family_of"]
