"""Which model is attacked, and in what batches: decided by dry runs before any weight is read."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.models import Loaded, Rung
    from nbhelpers.settings import AttackSection

_OWN_PX = 448  # for models that take a picture at its own size
_TEXT_TOKENS = 64  # question, answer and the marks around them


def picture_side(settings: "AttackSection", config: Any) -> int:
    """The side in pixels that pictures are brought to: the settings', or at which a model looks at them.

    448 where the settings say nothing and the model takes any.
    """
    return settings.picture_px or int(getattr(config.vision_config, "image_size", None) or _OWN_PX)


def load_victim(
    settings: "AttackSection",
    *,
    profile: str,
    device: str = "auto",
    say: Callable[[str], None] = print,
) -> "tuple[Loaded, AttackSection]":
    """Load the first candidate that is reachable and whose attack step fits; say of each why or why not.

    Where a step with the wanted batch does not fit, half the batch is tried, and so on down to one picture,
    with as many more micro-batches per step; only then the next model. Text-only models are left with the
    reason.

    Args:
        settings: the section `attack`.
        profile: built-in profile whose models are meant: cpu, t4 or rtx3090.
        device: as `runtime.choose_device` takes it.
        say: takes the lines meant for people.

    Returns:
        The model, frozen, and the settings with the batch and accumulation that fit.

    Raises:
        NothingFits: no candidate could be taken; says of each why.
    """
    from nbhelpers.models import NothingFits, chain
    from nbhelpers.runtime import choose_device

    where, left = choose_device(device).value, list["Rung"]()
    for name in chain("attack", profile, settings.model):
        taken = _try(name, settings, where, left)
        if taken is None:
            say(f"{name} is left: {left[-1].reason}")
            continue
        loaded, batch = taken
        say(f"{name} is taken: {loaded.reason}")
        loaded.rungs = [*left, *loaded.rungs]
        return loaded, _with_batch(settings, batch, say)
    raise NothingFits(left)


def _try(
    name: str, settings: "AttackSection", device: str, left: "list[Rung]"
) -> "tuple[Loaded, int] | None":
    from nbhelpers.memory import Shapes
    from nbhelpers.models import NothingFits, load

    batch = settings.batch
    while True:
        shapes = Shapes(batch=batch, size=settings.picture_px, text_tokens=_TEXT_TOKENS)
        try:
            loaded = load(
                name, task="attack", quantize=packing(settings, name, device), device=device, shapes=shapes,
                gradient_checkpointing=checkpointing(settings, device),
            )  # fmt: skip
        except NothingFits as refused:
            if refused.rungs[-1].kind != "too_large" or batch == 1:
                left += refused.rungs
                return None
            batch //= 2
        else:
            return loaded, batch


def _with_batch(settings: "AttackSection", batch: int, say: Callable[[str], None]) -> "AttackSection":
    if batch == settings.batch:
        return settings
    accumulate = -(-settings.batch * settings.accumulate // batch)
    say(f"{batch} pictures at once fit, not {settings.batch}: {accumulate} micro-batches make a step")
    return settings.model_copy(update={"batch": batch, "accumulate": accumulate})


def packing(settings: "AttackSection", name: str, device: str) -> str | None:
    """How the text layers of a model are packed on a device."""
    if settings.quantize == "none" or (settings.quantize == "auto" and not device.startswith("cuda")):
        return None
    if settings.quantize != "auto":
        return settings.quantize
    return None if name.startswith("tiny/") else "nf4"


def checkpointing(settings: "AttackSection", device: str) -> bool:
    """Whether activations are computed again in the backward pass: memory is short on GPUs, time on CPUs."""
    return device.startswith("cuda") if settings.checkpointing == "auto" else settings.checkpointing == "on"
