"""Every family by `config.model_type`, and a generic record for what is not known."""

import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from nbhelpers.models.families import gemma, grounding_dino, paligemma, qwen_vl, sam, smolvlm, text
from nbhelpers.models.families.record import Family

_MODULES = (grounding_dino, sam, qwen_vl, gemma, paligemma, smolvlm, text)

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {family.model_type: family for module in _MODULES for family in module.FAMILIES}
)


def family_of(config: Any) -> Family:
    """The family of a model.

    Args:
        config: a transformers configuration, or a `model_type` by itself.

    Returns:
        The record; for an unknown type a generic one, with a warning that says what it cannot do.
    """
    name = config if isinstance(config, str) else config.model_type
    if name in FAMILIES:
        return FAMILIES[name]
    from nbhelpers.models.families.generic import generic_family

    warnings.warn(
        f"model type {name!r} is not among the known families ({', '.join(FAMILIES)}): all its parameters "
        "have the one role `other`, LoRA takes all linear layers but the output head, and its number "
        "formats, pictures and licence are not known",
        stacklevel=2,
    )
    return generic_family(name)
