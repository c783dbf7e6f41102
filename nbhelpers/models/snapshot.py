"""Keep chosen parameters in CPU memory and put them back byte for byte, at the speed of a memory copy."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput, CheckFailed

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from nbhelpers.models.families import Family

# A power of two: torch's allocator of pinned memory rounds up to one, which would waste up to half.
_BLOCK_BYTES = 64 << 20
_ALIGN = 64
# What bitsandbytes keeps beside packed weights; packed bytes mean nothing without it.
_STATE = ("absmax", "code", "offset")


class Snapshot:
    """The bytes of chosen parameters as they were when it was made.

    Tied parameters are kept once. Packed weights are kept with their scales. On a GPU the copy is in pinned
    memory, so that putting it back runs at the speed of the bus.

    Attributes:
        names: the parameters (and packed weights' scales) it keeps.
        nbytes: how many bytes they take.
        seconds: how long the last `restore` took; before the first, how long taking the snapshot did.
    """

    def __init__(self, model: "nn.Module", *names_or_roles: str, family: "Family | None" = None) -> None:
        """Copy the parameters.

        Args:
            model: a model on the CPU or on GPUs, not on the meta device.
            names_or_roles: names of parameters, roles (`text.attention`) or groups of roles (`text`);
                none for all parameters.
            family: of the model; None asks its configuration. Needed for roles alone.

        Raises:
            BadInput: a name that is neither; the message lists the roles there are.
        """
        import torch

        began = time.perf_counter()
        self._kept: list[_Kept] = []
        arena = _Arena(pin=any(parameter.is_cuda for parameter in model.parameters()))
        chosen = _chosen(model, names_or_roles, family)
        with torch.no_grad():
            for name, holder, key in _unique(model, chosen):
                self._kept.append(_Kept(name, holder, key, arena))
            self.names = tuple(kept.name for kept in self._kept)
            self.nbytes = sum(kept.nbytes for kept in self._kept)
            self._copy(back=False)
        self.seconds = time.perf_counter() - began

    def restore(self) -> None:
        """Write the kept bytes into the model's parameters, in place.

        Raises:
            CheckFailed: a parameter has another shape, dtype or device than it had; names it. Nothing is
                written then.
        """
        import torch

        began = time.perf_counter()
        with torch.no_grad():
            self._copy(back=True)
        self.seconds = time.perf_counter() - began

    def changed(self) -> list[str]:
        """Names of the parameters whose bytes are not those kept."""
        import torch

        with torch.no_grad():
            return [
                kept.name
                for kept in self._kept
                if not all(
                    torch.equal(live.cpu(), stored)
                    for live, stored in zip(kept.live(), kept.stored, strict=True)
                )
            ]

    def _copy(self, back: bool) -> None:
        import torch

        live = [part for kept in self._kept for part in kept.live()]
        rest = [kept for kept in self._kept if not kept.copy_arrays(back)]
        if rest:
            here = [part for kept in rest for part in kept.live()]
            stored = [part for kept in rest for part in kept.stored]
            _copy_all(here, stored) if back else _copy_all(stored, here)
        if back:
            torch.autograd.graph.increment_version(live)  # numpy writes behind autograd's back


def _copy_all(targets: list["Tensor"], sources: list["Tensor"]) -> None:
    """Copy all at once, then wait where a GPU takes part."""
    import torch

    torch._foreach_copy_(targets, sources, non_blocking=True)
    for device in {tensor.device for tensor in (*targets, *sources) if tensor.is_cuda}:
        torch.cuda.synchronize(device)


@dataclass(frozen=True)
class _Layout:
    """What must be as it was for kept bytes to mean the same."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: "torch.dtype"
    device: "torch.device"

    @classmethod
    def of(cls, tensor: "Tensor") -> "_Layout":
        return cls(tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device)


class _Kept:
    """One tensor: where it hangs in the model, and slices of the arena with its bytes."""

    def __init__(self, name: str, holder: dict[str, Any], key: str, arena: "_Arena") -> None:
        self.name, self._holder, self._key = name, holder, key
        tensor = holder[key].detach()
        self._layout = _Layout.of(tensor)
        self._flat = tensor.is_contiguous()
        self.nbytes = tensor.numel() * tensor.element_size()
        self.stored = arena.take(self.nbytes) if self._flat else [arena.take_like(tensor)]
        self._views: list[Tensor] = []
        self._arrays: list[tuple[Any, Any]] = []
        self._pointer = -1

    def live(self) -> list["Tensor"]:
        """Views of the model's tensor, cut as the stored slices are; made again when its memory has moved."""
        tensor = self._holder[self._key]
        if self._pointer != tensor.data_ptr() or not self._views:
            if _Layout.of(tensor) != self._layout:
                raise CheckFailed(
                    f"{self.name}: shape, dtype or device changed since the snapshot; take a new one"
                )
            self._views = self._cut(tensor.detach())
            self._arrays = self._paired()
            self._pointer = tensor.data_ptr()
        return self._views

    def _paired(self) -> list[tuple[Any, Any]]:
        """Live and stored bytes as numpy arrays, made once; empty where a GPU or gaps are in the way."""
        if not self._flat or any(view.is_cuda for view in self._views):
            return []
        return [(live.numpy(), stored.numpy()) for live, stored in zip(self._views, self.stored, strict=True)]

    def copy_arrays(self, back: bool) -> bool:
        """Copy on the CPU through numpy, after `live`; False where that is not possible.

        In one thread: torch would share each copy among all its threads, and on a busy machine wait for the
        slowest (measured: four times as long with two threads on two cores in use).
        """
        if back:
            for live, stored in self._arrays:
                live[:] = stored
        else:
            for live, stored in self._arrays:
                stored[:] = live
        return bool(self._arrays)

    def _cut(self, tensor: "Tensor") -> list["Tensor"]:
        if not self._flat:
            return [tensor]
        import torch

        parts = tensor.view(-1).view(torch.uint8).split([part.numel() for part in self.stored])
        return list(parts)


class _Arena:
    """CPU memory in blocks, handed out in slices; a tensor may reach over several blocks."""

    def __init__(self, pin: bool) -> None:
        self._pin = pin
        self._block: Tensor | None = None
        self._used = _BLOCK_BYTES

    def take(self, nbytes: int) -> list["Tensor"]:
        """Slices of uint8 that hold so many bytes together."""
        parts = []
        while nbytes:
            block = self._open(nbytes)
            count = min(nbytes, block.numel() - self._used)
            parts.append(block[self._used : self._used + count])
            self._used = -(-(self._used + count) // _ALIGN) * _ALIGN
            nbytes -= count
        return parts

    def take_like(self, tensor: "Tensor") -> "Tensor":
        """Room for a tensor whose elements do not lie one after the other; its values, not its gaps."""
        import torch

        return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=self._pin)

    def _open(self, nbytes: int) -> "Tensor":
        import torch

        if self._block is None or self._used >= self._block.numel():
            self._block, self._used = torch.empty(_BLOCK_BYTES, dtype=torch.uint8, pin_memory=self._pin), 0
        return self._block


def _chosen(model: "nn.Module", wanted: tuple[str, ...], family: "Family | None") -> set[str]:
    """Names of the parameters that names and roles stand for."""
    every = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    if not wanted:
        return every
    roles = [name for name in wanted if name not in every]
    chosen = set(wanted) & every
    return chosen | (_of_roles(model, every, roles, family) if roles else set())


def _of_roles(model: "nn.Module", names: set[str], roles: list[str], family: "Family | None") -> set[str]:
    from nbhelpers.models.families import family_of
    from nbhelpers.models.roles import expand_roles, role_of

    if family is None:
        config = getattr(model, "config", None)
        if config is None:
            raise BadInput(
                f"snapshot: {roles[0]} is no parameter, and roles need a family; name the parameters"
            )
        family = family_of(config)
    expanded = set(expand_roles(family, roles))
    return {name for name in names if role_of(family, name) in expanded}


def _unique(model: "nn.Module", chosen: set[str]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Name, holder and key of each tensor to keep; one that shares all its memory with another comes once."""
    seen: set[tuple[int, _Layout]] = set()
    for prefix, module in model.named_modules():
        for key, parameter in module._parameters.items():
            name = f"{prefix}.{key}" if prefix else key
            if parameter is None or name not in chosen:
                continue
            for label, holder, inner in [
                (name, module._parameters, key),
                *_packed_states(name, module, parameter),
            ]:
                mark = (holder[inner].data_ptr(), _Layout.of(holder[inner]))
                if holder[inner].numel() and mark not in seen:
                    seen.add(mark)
                    yield label, holder, inner


def _packed_states(
    name: str, module: "nn.Module", parameter: Any
) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The scales that belong to weights packed by bitsandbytes."""
    import torch

    state, label = getattr(parameter, "quant_state", None), f"{name}.quant_state"
    while state is not None:
        for key in _STATE:
            if isinstance(getattr(state, key, None), torch.Tensor):
                yield f"{label}.{key}", vars(state), key
        state, label = getattr(state, "state2", None), f"{label}.state2"
    for holder in (parameter, getattr(module, "state", None)):
        if isinstance(getattr(holder, "SCB", None), torch.Tensor):
            yield f"{name}.SCB", vars(holder), "SCB"
