"""What a training step takes: predicted by a dry run, and the size of the pictures it is asked for."""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.memory import MemoryPlan
    from nbhelpers.models import Loaded
    from nbhelpers.settings.sections import LoraSettings

SHORT_PX, LONG_PX = 800, 1333  # sides the published models are trained and used with


def square_side(height: int, width: int) -> int:
    """Side in pixels of the square with as many pixels: dry runs know squares only."""
    return math.ceil(math.sqrt(height * width))


def step_plan(
    family: Any,
    config: Any,
    settings: "LoraSettings",
    *,
    height: int = SHORT_PX,
    width: int = LONG_PX,
    text_tokens: int = 64,
    device: str = "cuda",
    dtype: str = "auto",
    capability: tuple[int, int] | None = None,
) -> "MemoryPlan":
    """Dry run of one training step with these LoRA settings; needs neither weights nor a GPU.

    Args:
        family: of the model.
        config: of the model.
        settings: roles, rank and batch.
        height: of the pictures as the model gets them, pixels.
        width: likewise.
        text_tokens: of the prompt.
        device: "cpu" or "cuda".
        dtype: of the frozen weights.
        capability: of the GPU; see `memory.dry_run`.
    """
    from nbhelpers.memory import Shapes, dry_run
    from nbhelpers.models import add_lora

    def adapt(model: Any) -> Any:
        roles, alpha = settings.roles, settings.alpha
        return add_lora(model, family, roles, settings.r, alpha, settings.dropout).model

    shapes = Shapes(settings.batch, 1, size=square_side(height, width), text_tokens=text_tokens)
    return dry_run(
        family, config, "tune", shapes, dtype=dtype, lora=adapt, device=device, capability=capability
    )


def predict_step(loaded: "Loaded", settings: "LoraSettings", batch: dict[str, Any]) -> int:
    """Peak bytes of a step on the model's device, for pictures and a prompt as large as this batch's."""
    _, _, height, width = batch["inputs"]["pixel_values"].shape
    plan = step_plan(
        loaded.family, loaded.config, settings, height=height, width=width,
        text_tokens=batch["inputs"]["input_ids"].shape[1],
        device=loaded.device.partition(":")[0], dtype=str(loaded.dtype).removeprefix("torch."),
    )  # fmt: skip
    return plan.peak
