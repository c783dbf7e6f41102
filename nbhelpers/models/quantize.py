"""4-bit and 8-bit weights through bitsandbytes: what is packed, what stays as it is, what the CPU needs."""

from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.models.rungs import Refused

if TYPE_CHECKING:
    from torch import nn

    from nbhelpers.models.families import Family

QUANTIZATIONS = ("nf4", "int8")
"""`nf4`: 4-bit NormalFloat, double quantisation (Dettmers et al. 2023, QLoRA); `int8`: LLM.int8() (2022)."""

_PACKED_ROLES = ("text.attention", "text.mlp")
_AUTO_CLASSES = ("AutoModelForCausalLM", "AutoModelForImageTextToText")


def check_quantize(quantize: str | None) -> None:
    """Refuse an unknown name.

    Raises:
        BadInput: lists the names there are.
    """
    if quantize is not None and quantize not in QUANTIZATIONS:
        raise BadInput(f"quantize {quantize!r}: use {' or '.join(QUANTIZATIONS)}, or leave it out")


def check_quantizable(family: "Family", quantize: str | None) -> None:
    """Refuse a family whose weights are not packed.

    Detectors and segmenters are small, and their box and mask heads lose more than the memory is worth.

    Raises:
        Refused: `unsupported`.
    """
    if quantize is None:
        return
    if family.auto_class not in _AUTO_CLASSES or not set(_PACKED_ROLES) <= set(family.roles):
        raise Refused(
            "unsupported",
            f"{quantize} packs the text layers of language models, and {family.model_type} is none; "
            "load it in 16 bit",
        )


def packed_modules(model: "nn.Module", family: "Family") -> list[str]:
    """Names of the linear layers whose weights are packed: attention and feed-forward of the text model.

    Embeddings, norms, the output head, the vision tower and the projector keep their 16 (or 32) bits.

    Args:
        model: on any device; the meta device will do.
        family: of the model.
    """
    from torch import nn

    from nbhelpers.models.roles import role_of

    # Exactly `nn.Linear`: transformers replaces no subclass of it.
    names = [name for name, module in model.named_modules() if type(module) is nn.Linear]
    return [name for name in names if role_of(family, f"{name}.weight") in _PACKED_ROLES]


def kept_prefixes(model: "nn.Module", packed: list[str]) -> list[str]:
    """The fewest module names that cover every linear layer outside `packed`, from the root on.

    transformers compares them with `re.match`, so `vision_tower` alone matches nothing in silence.
    """
    from torch import nn

    inside = {".".join(name.split(".")[:depth]) for name in packed for depth in range(name.count(".") + 2)}
    kept: list[str] = []
    for name, module in model.named_modules():
        covered = any(name.startswith(f"{prefix}.") for prefix in kept)
        if name and name not in inside and not covered:
            kept += [name] * any(isinstance(part, nn.Linear) for part in module.modules())
    return kept


def quantization_config(model: "nn.Module", family: "Family", quantize: str, compute_dtype: str) -> Any:
    """The `BitsAndBytesConfig` for a model.

    Args:
        model: of the same architecture, on the meta device.
        family: of the model.
        quantize: `nf4` or `int8`.
        compute_dtype: name of the dtype the 4-bit layers compute in, by the family's rule.
    """
    import torch
    from transformers import BitsAndBytesConfig

    kept = kept_prefixes(model, packed_modules(model, family))
    if quantize == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=kept)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, compute_dtype),
        llm_int8_skip_modules=kept,
    )


def quantized_modules(model: "nn.Module") -> list[str]:
    """Names of the layers that bitsandbytes really packed."""
    from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt

    kinds = (Linear4bit, Linear8bitLt)
    return [name for name, module in model.named_modules() if isinstance(module, kinds)]


def settle_quantized(model: "nn.Module", expected: list[str]) -> None:
    """Check that just the expected layers were packed, and keep the CPU's layout the one that can be trained.

    On processors with avx512_bf16 the first evaluation forward packs 4-bit weights anew, and every training
    forward after it fails.

    Raises:
        CheckFailed: other layers were packed than those that should be.
    """
    from bitsandbytes.nn.modules import Linear4bit

    found = quantized_modules(model)
    if set(found) != set(expected):
        odd = sorted(set(found) ^ set(expected))
        raise CheckFailed(f"{len(odd)} layers are packed or kept against the plan, such as {odd[0]}")
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False
