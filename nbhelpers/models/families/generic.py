"""The record of a `model_type` that nobody described: enough to infer, and to tune all linear layers."""

import warnings
from typing import Any

from nbhelpers.errors import BadInput
from nbhelpers.memory.shapes import Shapes
from nbhelpers.models.families.record import Family
from nbhelpers.models.families.text import text_inputs

# Auto classes from the most to the least able, with what a model behind each takes.
_CLASSES = (
    ("AutoModelForImageTextToText", "AutoProcessor", frozenset({"text", "image"})),
    ("AutoModelForCausalLM", "AutoTokenizer", frozenset({"text"})),
    ("AutoModelForZeroShotObjectDetection", "AutoProcessor", frozenset({"text", "image"})),
    ("AutoModelForMaskGeneration", "AutoProcessor", frozenset({"image"})),
    ("AutoModelForObjectDetection", "AutoProcessor", frozenset({"image"})),
    ("AutoModel", "AutoProcessor", frozenset({"text"})),
)


def generic_family(model_type: str) -> Family:
    """A record for an unknown type: one role `other` for all parameters.

    Args:
        model_type: as `config.json` names it.

    Raises:
        BadInput: transformers has no class for this type at all.
    """
    auto_class, processor, inputs = _class_of(model_type)
    return Family(
        model_type=model_type,
        auto_class=auto_class,
        processor=processor,
        inputs=inputs,
        roles={"other": (r".+",)},
        linears={"other": (r"(?!lm_head$).+",)},
        lora_roles=("other",),
        build_inputs=_only_text,
        licence="unknown",
        known=False,
    )


def _class_of(model_type: str) -> tuple[str, str, frozenset[str]]:
    import transformers

    known = model_type in transformers.CONFIG_MAPPING
    config_class = transformers.CONFIG_MAPPING[model_type] if known else None
    for auto_class, processor, inputs in _CLASSES:
        mapping = getattr(transformers, auto_class)._model_mapping
        if config_class is not None and config_class in mapping:
            return auto_class, processor, inputs
    raise BadInput(
        f"model type {model_type!r}: the installed transformers {transformers.__version__} has no such model"
    )


def _only_text(config: Any, shapes: Shapes, labels: bool, device: str) -> dict[str, Any]:
    """Text alone, since nothing is known of how this type lays out pictures."""
    name, parts = config.model_type, config.get_text_config()
    if shapes.frames:
        raise BadInput(f"{name}: how an unknown type lays out frames is not known; use frames=0")
    if not hasattr(parts, "vocab_size"):
        raise BadInput(f"{name}: an unknown type without a vocabulary; its inputs are not known")
    if shapes.images and hasattr(config, "vision_config"):
        warnings.warn(f"{name}: an unknown type; its example inputs leave the pictures out", stacklevel=3)
    return text_inputs(config, shapes, labels, device)
