"""Families that read and write text alone: Qwen2 (and its coder), Gemma-2, the language model of Gemma-3."""

from typing import Any

from nbhelpers.memory.shapes import Shapes
from nbhelpers.models.families.patterns import text_linears, text_roles
from nbhelpers.models.families.record import Family
from nbhelpers.models.families.tokens import after, text_labels

_PREFIX = r"model\."


def text_inputs(config: Any, shapes: Shapes, labels: bool, device: str) -> dict[str, Any]:
    """Ordinary ids and a mask; `images` of the shapes is left out, since the family takes none."""
    inputs = after((), config, shapes)
    return inputs | ({"labels": text_labels(inputs, shapes)} if labels else {})


def _text_family(model_type: str, **more: Any) -> Family:
    return Family(
        model_type=model_type,
        auto_class="AutoModelForCausalLM",
        processor="AutoTokenizer",
        inputs=frozenset({"text"}),
        roles=text_roles(_PREFIX),
        linears=text_linears(_PREFIX),
        lora_roles=("text.attention",),
        build_inputs=text_inputs,
        **more,
    )


FAMILIES = (
    _text_family("qwen2"),
    # The soft cap on its attention scores exists only in the eager kernel; SDPA leaves it out in silence.
    _text_family("gemma2", attention="eager", licence="gemma", gated=True),
    _text_family("gemma3_text", fp16_compute=False, licence="gemma", gated=True),
)
