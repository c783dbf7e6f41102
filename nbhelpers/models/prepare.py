"""Bring a loaded model into the state its task needs: frozen or trainable, evaluating or training."""

from typing import TYPE_CHECKING, Any, Literal

from nbhelpers.models.rungs import Refused

if TYPE_CHECKING:
    from torch import nn

    from nbhelpers.models.families import Family

Task = Literal["infer", "tune", "attack"]


def prepare(model: Any, task: Task, checkpointing: bool) -> None:
    """Set modes, gradients and checkpointing, in place.

    - `infer`: evaluating, no parameter asks for a gradient.
    - `attack`: the same, and nothing is cached between tokens: the gradient goes to the pixels alone.
    - `tune`: training; the text embeddings' output asks for a gradient, so that checkpointed layers have one.

    Args:
        model: a transformers model.
        task: see above.
        checkpointing: keep only each layer's input for the backward pass and compute the rest again.

    Raises:
        Refused: `unsupported`, where checkpointing is asked of a class without it.
    """
    if checkpointing and not model.supports_gradient_checkpointing:
        raise Refused("unsupported", f"{type(model).__name__} has no gradient checkpointing; switch it off")
    model.train(task == "tune")
    if task != "tune":
        model.requires_grad_(False)
    if task != "infer":
        model.config.get_text_config().use_cache = False  # `generate` has its own setting and still caches
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        _input_gradients(model) if task == "tune" else _checkpoint_while_evaluating(model)


def _input_gradients(model: Any) -> None:
    """Let the output of the text embeddings ask for a gradient.

    transformers' `enable_input_require_grads` does so for every tower: the backward pass would then run
    through a frozen vision tower for nothing.
    """
    try:
        embeddings = model.get_input_embeddings()
    except (
        NotImplementedError
    ):  # detectors and segmenters have none; their pixels come in through a convolution
        return
    if embeddings is not None:
        model._require_grads_hook = embeddings.register_forward_hook(_ask_for_gradient)
        model._require_grads_hooks = [model._require_grads_hook]


def _ask_for_gradient(module: "nn.Module", inputs: Any, output: Any) -> None:
    if output.is_floating_point() and not output.is_inference():
        output.requires_grad_(True)


def _checkpoint_while_evaluating(model: "nn.Module") -> None:
    """Layers checkpoint only while they train: switch just them over, so that their dropout stays off.

    `model.eval()` undoes it.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            module.training = True


def one_device(model: "nn.Module") -> str:
    """The device all parameters are on.

    Raises:
        Refused: `unsupported`, where they are on several: gradients would cross devices at every step.
    """
    devices = sorted({str(parameter.device) for parameter in model.parameters()})
    if len(devices) != 1:
        raise Refused("unsupported", f"the model came to lie on {', '.join(devices)}; it must be on one")
    return devices[0]


def check_finite(model: Any, family: "Family", device: str) -> None:
    """Ask a model with text that computes in float16 for logits once: a family may overflow unnoticed.

    Detectors are asked as they are used, under autocast: their masks overflow in float16 alone. Their logits
    beyond the prompt are minus infinity by design and do not count.

    Raises:
        Refused: `unsupported`, where a logit is NaN or infinite.
    """
    import torch

    if model.dtype != torch.float16 or "text.attention" not in family.roles:
        return
    logits = _logits(model, family, device)
    if not bool(torch.isfinite(logits).all()):
        share = 100 * float((~torch.isfinite(logits)).float().mean())
        raise Refused("unsupported", f"{share:.0f} % of its logits are not finite in float16; use float32")


def _logits(model: Any, family: "Family", device: str) -> Any:
    import torch

    from nbhelpers.memory.shapes import Shapes

    inputs = family.example_inputs(model.config, Shapes(images=1, text_tokens=32), device="cpu")
    moved = {name: value.to(device) for name, value in inputs.items() if isinstance(value, torch.Tensor)}
    floats = {name: value.to(model.dtype) for name, value in moved.items() if value.is_floating_point()}
    detector = family.auto_class == "AutoModelForZeroShotObjectDetection"
    with torch.no_grad(), torch.autocast(model.device.type, model.dtype, enabled=detector):
        logits = model(**{**moved, **floats}).logits
    return logits[..., : moved["input_ids"].shape[1]] if detector else logits
