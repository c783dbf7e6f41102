"""Checkpoints: everything a training needs to go on, written whole or not at all."""

import hashlib
import os
import pickle
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nbhelpers.errors import BadInput

CHECKPOINT = "checkpoint.pt"
FORMAT = 1
_TEMPORARY = ".training-{}.tmp"


def save_whole(path: Path, record: dict[str, Any]) -> Path:
    """Write with `torch.save` to a temporary file beside `path`, sync, rename; a kill leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / _TEMPORARY.format(secrets.token_hex(8))
    try:
        with temporary.open("xb") as file:
            torch.save(record, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def load_whole(path: Path) -> dict[str, Any]:
    """Read what `save_whole` wrote, onto the CPU; runs no code from the file.

    Raises:
        BadInput: it is not such a file.
    """
    try:
        record = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise BadInput(
            f"{path}: cannot be read as a checkpoint ({reason}); remove it to begin anew"
        ) from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise BadInput(f"{path}: is no checkpoint of this version; remove it to begin anew")
    return record


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of writes that a kill cut short."""
    for path in folder.glob(_TEMPORARY.format("*")):
        path.unlink(missing_ok=True)


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """What training changes, by name: parameters that require gradients, and every persistent buffer.

    A model trained as a whole is kept as a whole; of an adapter on a frozen model only the adapter. Tied
    parameters appear once. The tensors share memory with the model.
    """
    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    return {**trained, **dict(_persistent_buffers(model))}


def _persistent_buffers(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for prefix, module in model.named_modules():
        for name, buffer in module.named_buffers(recurse=False):
            if name not in module._non_persistent_buffers_set:
                yield f"{prefix}.{name}" if prefix else name, buffer


@torch.no_grad()
def give_state(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Copy what `trained_state` took into the model.

    Raises:
        BadInput: names or shapes differ: it was taken from another model, or other parameters train now.
    """
    own = trained_state(model)
    refuse_other_shapes(shapes(own), shapes(state))
    for name, tensor in state.items():
        own[name].copy_(tensor)


def shapes(state: dict[str, Tensor]) -> dict[str, list[int]]:
    """Name to shape."""
    return {name: list(tensor.shape) for name, tensor in state.items()}


def refuse_other_shapes(own: dict[str, list[int]], kept: dict[str, list[int]]) -> None:
    """Compare names and shapes.

    Raises:
        BadInput: names the first difference.
    """
    for name in sorted(own.keys() | kept.keys()):
        if own.get(name) != kept.get(name):
            raise BadInput(
                f"{name}: is {kept.get(name, 'absent')} in the checkpoint and {own.get(name, 'absent')} in "
                f"the model that trains; give the model it was made from, or another folder"
            )


def frozen_mark(model: nn.Module, samples: int = 16) -> str:
    """A hash over a few values of each frozen parameter: tells another base model at little cost.

    Frozen parameters are not in the checkpoint, so a resume must be given the same ones.
    """
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            continue
        flat = parameter.detach().reshape(-1)
        some = flat[:: max(1, flat.numel() // samples)][:samples].to("cpu").contiguous()
        digest.update(f"{name} {list(parameter.shape)} {parameter.dtype}".encode())
        digest.update(some.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
