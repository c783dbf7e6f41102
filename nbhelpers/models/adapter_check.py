"""Proof that training an adapter left the model itself alone, byte for byte."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from nbhelpers.errors import BadInput, CheckFailed

if TYPE_CHECKING:
    import torch
    from torch import nn

_PART_BYTES = 64 << 20  # what is brought to the CPU at once


def tensor_digests(model: "nn.Module") -> dict[str, str]:
    """A digest of the bytes of every parameter and buffer that is saved with the model.

    About a second per GiB. Take it before training and give it to `verify_only_adapter_changed` afterwards.

    Returns:
        Name in `state_dict()` -> 32 hex digits over dtype, shape and bytes.
    """
    return {name: _digest(tensor) for name, tensor in _saved_tensors(model)}


def _saved_tensors(model: "nn.Module") -> "Iterator[tuple[str, torch.Tensor]]":
    import torch

    for name, value in model.state_dict().items():
        if isinstance(value, torch.Tensor):
            yield name, value


def _digest(tensor: "torch.Tensor") -> str:
    import torch

    digest = hashlib.blake2b(f"{tensor.dtype} {tuple(tensor.shape)}".encode(), digest_size=16)
    flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    for start in range(0, flat.numel(), _PART_BYTES):
        digest.update(flat[start : start + _PART_BYTES].cpu().numpy().data)
    return digest.hexdigest()


def is_adapter(name: str) -> bool:
    """Whether a tensor belongs to a LoRA adapter, by its name."""
    return ".lora_" in name


def verify_only_adapter_changed(before: Mapping[str, str], model: "nn.Module") -> tuple[str, ...]:
    """Check that an optimiser step changed the adapter, and nothing but the adapter.

    Args:
        before: `tensor_digests` of the same wrapped model before the step.
        model: the wrapped model after it.

    Returns:
        Names of the tensors that changed. After one step without weight decay these are the `lora_B` alone:
        they start at zero, and so does the gradient of their `lora_A`.

    Raises:
        BadInput: `before` is of another model.
        CheckFailed: a tensor outside the adapter changed, no adapter tensor changed, or one is not finite.
    """
    after = tensor_digests(model)
    if after.keys() != before.keys():
        odd = sorted(after.keys() ^ before.keys())
        raise BadInput(f"digests of another model: {len(odd)} tensors are in one only, such as {odd[0]}")
    changed = tuple(name for name in after if after[name] != before[name])
    outside = [name for name in changed if not is_adapter(name)]
    if outside:
        raise CheckFailed(
            f"{len(outside)} tensors outside the adapter changed, such as {outside[0]}: freeze them "
            "(parameters: requires_grad_(False); statistics: freeze_batch_norm)"
        )
    if not changed:
        raise CheckFailed("no adapter tensor changed: check that the optimizer got the trainable parameters")
    _check_finite(model, changed)
    return changed


def _check_finite(model: "nn.Module", changed: tuple[str, ...]) -> None:
    import torch

    tensors = dict(_saved_tensors(model))
    bad = [name for name in changed if not bool(torch.isfinite(tensors[name]).all())]
    if bad:
        raise CheckFailed(
            f"{len(bad)} adapter tensors are no longer finite, such as {bad[0]}: lower the learning rate, or "
            "compute in float32"
        )
