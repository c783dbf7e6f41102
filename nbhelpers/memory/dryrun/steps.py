"""One step of each task. The same code runs over shapes in a dry run and over numbers when it is measured."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Task = Literal["infer", "tune", "full", "attack"]
TASKS: tuple[str, ...] = get_args(Task)
# Pictures enter under one of these names.
PIXELS = ("pixel_values", "pixel_values_videos")
# Told the name of a phase as it begins and, where the one before filled one, its key-value cache.
Mark = Callable[..., None]


def check_task(task: str) -> None:
    """Refuse a task there is no step for."""
    if task not in TASKS:
        raise BadInput(f"task {task!r}: use {', '.join(TASKS)}")


def prepare(model: "nn.Module", task: str, gradient_checkpointing: bool) -> tuple[str, ...]:
    """Freeze and set modes for a task; for `tune` the adapters must be in the model already.

    Returns:
        A remark for people where gradient checkpointing was asked for and cannot be had; else nothing.
    """
    trains = task in {"tune", "full"}
    if task != "infer":
        _without_cache(model)
    if task == "full":
        model.requires_grad_(True)
    elif not trains:
        model.requires_grad_(False)
    model.train(trains)
    if task == "infer" or not gradient_checkpointing:
        return ()
    if not getattr(model, "supports_gradient_checkpointing", False):
        return (f"{type(model).__name__} has no gradient checkpointing, so all activations are kept",)
    model.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
    # transformers then asks for gradients at the input of every tower, also of a frozen one that needs none;
    # this way of checkpointing does without.
    for hook in getattr(model, "_require_grads_hooks", ()):
        hook.remove()
    if task == "attack":
        _checkpoint_while_evaluating(model)
    return ()


def _without_cache(model: "nn.Module") -> None:
    """A step with gradients generates nothing; each tower has a configuration of its own that may say so."""
    for module in model.modules():
        config: Any = getattr(module, "config", None)
        if getattr(config, "use_cache", False):
            config.use_cache = False


def _checkpoint_while_evaluating(model: "nn.Module") -> None:
    """Layers checkpoint only while they train: an attack switches them alone over, so dropout stays off."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            module.training = True


def run_step(
    model: "nn.Module",
    inputs: Mapping[str, Any],
    task: str,
    optimizer: "torch.optim.Optimizer | None",
    new_tokens: int,
    mark: Mark,
) -> Any:
    """Run one step and leave nothing behind but gradients cleared and optimizer states.

    Args:
        model: prepared.
        inputs: keyword arguments of its forward.
        task: see `TASKS`.
        optimizer: for `tune` and `full`.
        new_tokens: tokens to generate after the prompt, where the model generates.
        mark: told the name of each phase as it begins.
    """
    if task == "infer":
        _infer(model, inputs, new_tokens, mark)
        return
    mark("forward")
    given = _watch_pixels(inputs) if task == "attack" else dict(inputs)
    loss = loss_of(model(**given))
    mark("backward")
    loss.backward()
    del loss, given
    if optimizer is not None:
        mark("optimizer")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    mark("end")


def _watch_pixels(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs with gradients asked for at the pixels."""
    names = [name for name in PIXELS if name in inputs]
    if not names:
        raise BadInput("task attack: the inputs hold no picture to change; give images or frames")
    return {**inputs, **{name: inputs[name].detach().requires_grad_() for name in names}}


def loss_of(output: Any) -> "Tensor":
    """The model's own loss; for classes without one the mean square of what they predict, in float32."""
    loss = getattr(output, "loss", None)
    if loss is not None:
        return loss
    found = next(
        (
            getattr(output, name)
            for name in ("pred_masks", "logits", "last_hidden_state")
            if hasattr(output, name)
        ),
        None,
    )
    if found is None:
        raise BadInput(f"{type(output).__name__}: has no loss and nothing to make one of")
    return found.float().square().mean()


def _infer(model: "nn.Module", inputs: Mapping[str, Any], new_tokens: int, mark: Mark) -> None:
    """Forward; where the model generates: the prompt into the cache, then one token at the full length."""
    import torch

    with torch.no_grad():
        if not new_tokens or not generates(model):
            mark("forward")
            model(**inputs)
            mark("end")
            return
        mark("prompt")
        output = model(**inputs, use_cache=True, **_last_only(model))
        cache = output.past_key_values
        output.logits.float()
        del output
        mark("new tokens", cache)
        _lengthen(cache, new_tokens - 1)
        # Without a mask: none is padded, and some families count positions from a mask of the whole length.
        model(input_ids=inputs["input_ids"][:, -1:], past_key_values=cache, use_cache=True).logits.float()
        mark("end", cache)


def generates(model: "nn.Module") -> bool:
    """Whether `generate` works on this class."""
    asked = getattr(model, "can_generate", None)
    return bool(asked and asked())


def _last_only(model: "nn.Module") -> dict[str, int]:
    """`generate` computes logits for the last token alone, where the class lets it."""
    import inspect

    return {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}


def _lengthen(cache: Any, count: int) -> None:
    """Put `count` tokens into each layer of a key-value cache; sliding windows drop what they would drop."""
    for layer in cache.layers if count else ():
        key, value = layer.keys, layer.values
        layer.update(
            key.new_zeros((*key.shape[:-2], count, key.shape[-1])),
            value.new_zeros((*value.shape[:-2], count, value.shape[-1])),
        )
