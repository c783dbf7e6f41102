"""Quantised linear layers by their sizes: what bitsandbytes stores, and what it makes for a moment.

4 bits (nf4 with double quantisation): two weights to a byte, a byte of scale per 64 weights, a float32 per
256 of those scales. A product unpacks the whole weight once in the compute type, in the backward pass again;
short inputs use a fused kernel that does not. 8 bits (LLM.int8): a byte per weight and a float32 per row;
inputs are quantised, the product is int32, the backward pass unpacks the weight.

Source: bitsandbytes 0.50, `autograd/_functions.py` (MatMul4Bit, MatMul8bitLt, MatMul8bitFp).
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from nbhelpers.errors import BadInput

QUANTIZE = ("nf4", "int8")
# bitsandbytes' fused 4-bit kernel serves inputs of few rows on every GPU; above, weights are unpacked.
_FUSED_ROWS = 4
_BLOCK, _BLOCK_OF_BLOCKS = 64, 256


class PackedLinear(nn.Linear):
    """A frozen linear layer of the sizes bitsandbytes would keep, on the meta device.

    Args:
        source: the layer it stands for.
        bits: 4 or 8.
        device: `cpu` or `cuda`, which decides how 8-bit training multiplies.
    """

    def __init__(self, source: nn.Linear, bits: int, device: str) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = source.in_features, source.out_features
        self.bits, self.plan_device, self.compute_dtype = bits, device, source.weight.dtype
        count = self.in_features * self.out_features
        size, kind = ((count + 1) // 2, torch.uint8) if bits == 4 else (count, torch.int8)
        packed = torch.empty(size, 1, dtype=kind, device="meta")
        self.weight = nn.Parameter(packed, requires_grad=False)
        self.bias = source.bias
        for name, scale in _scales(count, self.out_features, bits).items():
            self.register_buffer(name, scale)

    def forward(self, input: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features)."""
        before = input.dtype
        output = _Product.apply(input.to(self.compute_dtype), self)
        return output.to(before)

    def unpacked(self, dtype: torch.dtype) -> Tensor:
        """The whole weight in the compute type: alive as long as the product that asked for it."""
        if self.bits == 8:
            return self.weight.view(self.out_features, self.in_features).to(dtype)
        absmax = self.absmax.to(torch.float32)
        weight = torch.empty(self.out_features, self.in_features, dtype=self.compute_dtype, device="meta")
        del absmax
        return weight.to(dtype)


def _scales(count: int, rows: int, bits: int) -> dict[str, Tensor]:
    """The buffers beside the packed weight."""

    def empty(size: int, dtype: torch.dtype) -> Tensor:
        return torch.empty(size, dtype=dtype, device="meta")

    if bits == 8:
        return {"row_scales": empty(rows, torch.float32)}
    blocks = -(-count // _BLOCK)
    return {
        "absmax": empty(blocks, torch.uint8),
        "absmax_scales": empty(-(-blocks // _BLOCK_OF_BLOCKS), torch.float32),
        "code": empty(16 + 256 + 1, torch.float32),
    }


class _Product(torch.autograd.Function):
    """input @ weight.T with the temporaries of bitsandbytes; nothing of the input is kept at 4 bits."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, layer: PackedLinear) -> Tensor:
        ctx.layer, ctx.dtype = layer, input.dtype
        rows = input.numel() // input.shape[-1]
        if layer.bits == 4:
            return _product_4bit(input, layer, rows)
        if layer.plan_device == "cpu" and layer.training:
            ctx.kept = input  # MatMul8bitFp keeps it, needed or not
            return F.linear(input, layer.unpacked(input.dtype), layer.bias)
        if ctx.needs_input_grad[0]:
            ctx.kept = input
        return _product_8bit(input, layer, rows)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return torch.matmul(grads[0].to(ctx.dtype), ctx.layer.unpacked(ctx.dtype)), None


def _product_4bit(input: Tensor, layer: PackedLinear, rows: int) -> Tensor:
    if rows <= _FUSED_ROWS and layer.plan_device != "cpu":
        return input.new_empty((*input.shape[:-1], layer.out_features))
    return F.linear(input, layer.unpacked(input.dtype), layer.bias)


def _product_8bit(input: Tensor, layer: PackedLinear, rows: int) -> Tensor:
    half = input.reshape(rows, -1).to(torch.float16)
    quantised = input.new_empty(half.shape, dtype=torch.int8)
    del half
    sums = input.new_empty((rows, layer.out_features), dtype=torch.int32)
    output = sums.to(input.dtype)
    del sums, quantised
    return output.reshape(*input.shape[:-1], layer.out_features)


def quantize_layers(
    model: nn.Module, quantize: str, device: str, wanted: Callable[[str], bool]
) -> frozenset[tuple[int, ...]]:
    """Replace linear layers by packed ones, in place.

    Args:
        model: on the meta device, before adapters.
        quantize: `nf4` or `int8`.
        device: `cpu` or `cuda`.
        wanted: whether the linear layer of this name is packed.

    Returns:
        Shapes of the weights that were packed.

    Raises:
        BadInput: another `quantize`, or no layer can be packed.
    """
    if quantize not in QUANTIZE:
        raise BadInput(f"quantize {quantize!r}: use {' or '.join(QUANTIZE)}")
    # Exactly `nn.Linear`: transformers replaces no subclass of it.
    names = [name for name, part in model.named_modules() if type(part) is nn.Linear and wanted(name)]
    if not names:
        raise BadInput(f"quantize {quantize}: {type(model).__name__} has no text layers that can be packed")
    shapes = set()
    for name in names:
        source = model.get_submodule(name)
        assert isinstance(source, nn.Linear)
        shapes.add(tuple(source.weight.shape))
        model.set_submodule(name, PackedLinear(source, 4 if quantize == "nf4" else 8, device))
    return frozenset(shapes)
