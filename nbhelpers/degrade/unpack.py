"""Weights that were packed to 4 or 8 bits, brought back to a floating format so that they can be damaged."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.models import Loaded


def packed_names(model: Any) -> list[str]:
    """Names of the parameters that hold packed numbers."""
    return [
        name
        for name, parameter in model.named_parameters()
        if getattr(parameter, "quant_state", None) is not None or not parameter.is_floating_point()
    ]


def unpack(loaded: "Loaded") -> int:
    """Unpack a model in place; what packing rounded off stays lost.

    Args:
        loaded: its `quantize` becomes None.

    Returns:
        How many tensors were packed.
    """
    names = packed_names(loaded.model)
    if names:
        loaded.model = loaded.model.dequantize()
        for parameter in loaded.model.parameters():
            parameter.requires_grad_(False)
        loaded.quantize = None
    return len(names)
