"""The kernels a device would use where the choice decides the memory: attention and dropout.

`scaled_dot_product_attention` keeps the whole score matrix in its `math` kernel and none of it in the flash
and memory-efficient ones. Which of them runs is decided by torch from device, dtype, mask, dropout and head
size. For the CPU torch itself is asked, with small tensors of the same kind. For CUDA the rules are repeated
here.

Source: aten/src/ATen/native/transformers/cuda/sdp_utils.cpp of PyTorch 2.14 (use_flash_attention,
use_mem_efficient_attention): flash wants compute capability 8.0, 16-bit numbers, no mask and heads of at most
256; memory-efficient takes masks and fp32 from 5.0 on (bfloat16 from 8.0) but no grouped heads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

aten = torch.ops.aten
_MATH, _FLASH, _EFFICIENT = "math", "flash", "efficient"


@contextmanager
def device_kernels(device: str, capability: tuple[int, int]) -> Iterator[None]:
    """While active, attention and dropout of meta tensors do what they would do on `device`.

    `torch.nn.functional` is patched, not a function mode used: a mode is off during the backward pass, where
    checkpoints compute forward again. Tensors with values go to torch as ever.

    Args:
        device: `cpu` or `cuda`.
        capability: of the CUDA device.
    """
    kernels = _Kernels(device.startswith("cuda"), capability)
    attention, dropout = F.scaled_dot_product_attention, F.dropout

    def planned_attention(query: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return (kernels.attention if query.is_meta else attention)(query, *args, **kwargs)

    def planned_dropout(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return (_fused_dropout if kernels.cuda and input.is_meta else dropout)(input, *args, **kwargs)

    F.scaled_dot_product_attention, F.dropout = planned_attention, planned_dropout
    try:
        yield
    finally:
        F.scaled_dot_product_attention, F.dropout = attention, dropout


class _Kernels(NamedTuple):
    """What one device runs."""

    cuda: bool
    capability: tuple[int, int]

    def attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """One attention call, shapes (batch, heads, tokens, head size); the mask may hold values."""
        grad = torch.is_grad_enabled() and any(t.requires_grad for t in (query, key, value))
        grouped = enable_gqa and query.shape[1] != key.shape[1]
        kind = (query.dtype, query.shape[-1], value.shape[-1])
        mask = None if attn_mask is None else (attn_mask.dtype, attn_mask.requires_grad)
        if self.cuda:
            chosen = cuda_kernel(self.capability, *kind, mask is not None, grouped)
        else:
            chosen = cpu_kernel(*kind, mask, dropout_p > 0, is_causal, grouped, grad)
        if chosen == _MATH:
            return aten._scaled_dot_product_attention_math(
                query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
            )[0]
        bias = _additive(attn_mask, query.dtype)
        if not self.cuda:
            return aten._scaled_dot_product_flash_attention_for_cpu(
                query, key, value, dropout_p, is_causal, attn_mask=bias, scale=scale
            )[0]
        if chosen == _FLASH:
            return aten._scaled_dot_product_flash_attention(
                query, key, value, dropout_p, is_causal, False, scale=scale
            )[0]
        return aten._scaled_dot_product_efficient_attention(
            query, key, value, _whole(bias, query, key), grad, dropout_p, is_causal, scale=scale
        )[0]


def _additive(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """The mask as numbers to add, which torch makes of a boolean one at every call."""
    if mask is None:
        return None
    if mask.dtype == torch.bool:
        return torch.empty(mask.shape, dtype=dtype, device="meta")
    return mask if mask.is_meta else mask.to("meta")


def _whole(bias: Tensor | None, query: Tensor, key: Tensor) -> Tensor | None:
    return None if bias is None else bias.expand(query.shape[0], query.shape[1], query.shape[2], key.shape[2])


def _fused_dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """CUDA's dropout keeps a boolean mask, the CPU's one of the input's type."""
    if not training or p == 0.0:
        return input
    return torch.native_dropout(input, p, True)[0]


def cuda_kernel(
    capability: tuple[int, int], dtype: torch.dtype, head: int, value_head: int, masked: bool, grouped: bool
) -> str:
    """Which kernel CUDA would take: `flash`, `efficient` or `math`."""
    half = dtype in (torch.float16, torch.bfloat16)
    if capability >= (8, 0) and half and not masked and head <= 256 and head == value_head:
        return _FLASH
    known = dtype in (torch.float32, torch.float16) or (dtype == torch.bfloat16 and capability >= (8, 0))
    aligned = head % (8 if half else 4) == 0 and value_head % (8 if half else 4) == 0
    return _EFFICIENT if known and aligned and not grouped else _MATH


@cache
def cpu_kernel(
    dtype: torch.dtype,
    head: int,
    value_head: int,
    mask: tuple[torch.dtype, bool] | None,
    dropout: bool,
    causal: bool,
    grouped: bool,
    grad: bool,
) -> str:
    """Which kernel this torch takes on a CPU: `flash` or `math`; it is asked, with four tokens."""
    with _disable_current_modes(), torch.enable_grad():
        query = torch.zeros(1, 2, 4, head, dtype=dtype, requires_grad=grad)
        keys = torch.zeros(1, 1 if grouped else 2, 4, head, dtype=dtype)
        values = torch.zeros(1, keys.shape[1], 4, value_head, dtype=dtype)
        bias = None if mask is None else torch.zeros(1, 1, 4, 4, dtype=mask[0], requires_grad=mask[1])
        choice = torch._fused_sdp_choice(
            query, keys, values, bias, 0.1 if dropout else 0.0, causal, enable_gqa=grouped
        )
    return _FLASH if choice == torch.nn.attention.SDPBackend.FLASH_ATTENTION.value else _MATH
