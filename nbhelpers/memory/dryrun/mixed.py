"""Operations on tensors of which some hold values and some only shapes.

Weights and activations of a dry run are on the meta device. Small index tensors (token ids, grids, masks,
position ids) are real, because models read their values to decide shapes. An operation on both gives a shape
only; what has no answer without values (does anything overflow? which boxes match?) gets the answer of an
ordinary step, said at each rule.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from nbhelpers.errors import Unavailable

aten = torch.ops.aten
Rule = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]

# Index tensors above this many elements would cost real memory and time; they keep their shape only.
_LARGEST_REAL = 1 << 26
# Tensors of a few numbers (counts, scales) keep their values as well.
_NUMBERS = 16
# Least width of a hidden state.
_HIDDEN = 32


def call(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run one ATen operation, on shapes where any tensor of it has no values.

    Args:
        func: an overload such as `aten.add.Tensor`.
        args: positional arguments, tensors on `cpu` or `meta`.
        kwargs: keyword arguments.
    """
    rule = _RULES.get(func)
    if rule is not None:
        return rule(func, args, kwargs)
    return (
        _on_shapes(func, args, kwargs)
        if _any_meta(args) or _any_meta(kwargs.values())
        else func(*args, **kwargs)
    )


def _any_meta(values: Any) -> bool:
    for value in values:
        if isinstance(value, Tensor):
            if value.is_meta:
                return True
        elif isinstance(value, list | tuple) and any(isinstance(v, Tensor) and v.is_meta for v in value):
            return True
    return False


def _on_shapes(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if _writes_into_values(func, args):
        return args[0]  # its values are unknown from here on; its shape and size are what they were
    return func(*map(_to_meta, args), **{name: _to_meta(value) for name, value in kwargs.items()})


def _writes_into_values(func: Any, args: tuple[Any, ...]) -> bool:
    first = func._schema.arguments[0].alias_info if func._schema.arguments else None
    real = bool(args) and isinstance(args[0], Tensor) and not args[0].is_meta
    return real and first is not None and first.is_write


def _to_meta(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value if value.is_meta else value.to("meta")
    if isinstance(value, list | tuple):
        return type(value)(map(_to_meta, value))
    return value


def _is_index(dtype: torch.dtype) -> bool:
    return not (dtype.is_floating_point or dtype.is_complex)


def _factory(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`arange`, `zeros`, ... on the meta device: integers and booleans are made with values."""
    if torch.device(kwargs.get("device") or "cpu").type == "meta":
        shape_only = func(*args, **kwargs)
        if not _is_index(shape_only.dtype) or shape_only.numel() > _LARGEST_REAL:
            return shape_only
        kwargs = {**kwargs, "device": "cpu"}
    return func(*args, **kwargs)


def _is_activation(tensor: Tensor) -> bool:
    """Whether floats as wide as a hidden state; what models read (boxes, matching costs) is narrower."""
    return tensor.is_floating_point() and tensor.dim() >= 2 and tensor.shape[-1] >= _HIDDEN


def _copy(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`.to()`: index tensors keep their values; what leaves the meta device has zeros for values.

    What gradients flow through stays, and so do activations: on the real device tokens and activations lie
    together, and models write `.to(input_ids.device)` without meaning to copy.
    """
    source, device = args[0], kwargs.get("device")
    target = torch.device(device).type if device is not None else source.device.type
    if source.is_meta and target != "meta" and (source.requires_grad or _is_activation(source)):
        kwargs = {**kwargs, "device": None}
        same = kwargs.get("dtype") in (None, source.dtype)
        return aten.alias.default(source) if same else func(source, **kwargs)
    if source.is_meta and target != "meta":
        like = func(*args, **{**kwargs, "device": "meta"})
        return torch.zeros(like.shape, dtype=like.dtype)
    if not source.is_meta and target == "meta" and (_is_index(source.dtype) or source.numel() <= _NUMBERS):
        kwargs = {**kwargs, "device": None}
    return func(*args, **kwargs)


def _none(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`any` of unknown values: models ask it of infinities and NaN, and a healthy step has none."""
    return _answer(func, args, kwargs, False)


def _every(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`all` of unknown values: models ask it of what must hold (valid boxes, finite numbers)."""
    return _answer(func, args, kwargs, True)


def _answer(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], value: bool) -> Any:
    if not _any_meta(args):
        return func(*args, **kwargs)
    return torch.full(func(*args, **kwargs).shape, value)


def _index(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`x[mask]`: a mask with values selects what it says, one without selects all (the most memory)."""
    picks = [_positions(pick) for pick in args[1]]
    flat = [one for pick in picks for one in pick]
    return call_plain(func, (args[0], flat, *args[2:]), kwargs)


def _positions(pick: Tensor | None) -> tuple[Tensor | None, ...]:
    if pick is None or pick.dtype not in (torch.bool, torch.uint8):
        return (pick,)
    if pick.is_meta:
        pick = torch.ones(pick.shape, dtype=torch.bool)
    return pick.nonzero(as_tuple=True)


def _nonzero(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Positions of what is not zero; of unknown values all of them."""
    source = args[0]
    return func(torch.ones(source.shape, dtype=torch.bool) if source.is_meta else source)


def _masked_select(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    source, mask = torch.broadcast_tensors(args[0], args[1])
    return _index(aten.index.Tensor, (source, [mask]), {})


def _scalar(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`.item()`: there is no honest answer for a value that was never computed."""
    if args[0].is_meta:
        raise Unavailable(
            "dry run: the model reads the value of a computed tensor to go on, so its memory depends on "
            "weights; measure it with the real model instead"
        )
    return func(*args, **kwargs)


def call_plain(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """As `call`, without the special rules."""
    return _on_shapes(func, args, kwargs) if _any_meta(args) else func(*args, **kwargs)


def _overloads(rule: Rule, *packets: str) -> dict[Any, Rule]:
    return {
        getattr(getattr(aten, packet), overload): rule
        for packet in packets
        for overload in getattr(aten, packet).overloads()
        if "out" not in overload
    }


_RULES: dict[Any, Rule] = {
    **_overloads(_factory, "arange", "zeros", "ones", "full", "empty"),
    **_overloads(_none, "any", "_is_any_true"),
    **_overloads(_every, "all", "_is_all_true"),
    aten._to_copy.default: _copy,
    aten.index.Tensor: _index,
    aten.nonzero.default: _nonzero,
    aten.masked_select.default: _masked_select,
    aten._local_scalar_dense.default: _scalar,
}


@contextmanager
def numbers_stay_real() -> Iterator[None]:
    """While active, `torch.tensor` and `torch.as_tensor` of numbers keep their values on the meta device.

    Both make their tensor before any operation is dispatched, so no rule above sees them.
    """
    makers = torch.tensor, torch.as_tensor

    def real(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def made(data: Any, *args: Any, **kwargs: Any) -> Tensor:
            device = kwargs.get("device")
            if device is not None and torch.device(device).type == "meta" and not isinstance(data, Tensor):
                kwargs["device"] = "cpu"
            return make(data, *args, **kwargs)

        return made

    torch.tensor, torch.as_tensor = map(real, makers)
    try:
        yield
    finally:
        torch.tensor, torch.as_tensor = makers
