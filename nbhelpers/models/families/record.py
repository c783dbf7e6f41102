"""What the package knows of one `config.model_type`, so that no code has to know a model by its name."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput
from nbhelpers.memory.shapes import Shapes
from nbhelpers.runtime import Choice, choose_dtype

if TYPE_CHECKING:
    from torch import nn

# (config, shapes, labels, device of the pixels) -> keyword arguments of the model's forward.
InputBuilder = Callable[[Any, Shapes, bool, str], dict[str, Any]]

# task -> what the model must take, any one of these; an empty tuple asks for nothing.
_TASKS: dict[str, tuple[str, ...]] = {
    "infer": (),
    "tune": (),
    "full": (),
    "text": ("text",),
    "code": ("text",),
    "degrade": ("text",),
    "image": ("image",),
    "attack": ("image",),
    "detector": ("image",),
    "segmenter": ("image",),
    "video": ("video", "image"),
}


@contextmanager
def _configurations_unquestioned() -> Iterator[None]:
    """Building a model compares its configuration with the class's defaults; those of SmolVLM draw a warning.

    What transformers has to say of the configuration itself, it said when that was read.
    """
    logger = logging.getLogger("transformers.configuration_utils")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@dataclass(frozen=True)
class Family:
    """One architecture, as its `config.model_type` names it.

    Attributes:
        model_type: the name in `config.json`.
        auto_class: name of the transformers auto class that builds it.
        processor: `AutoProcessor` or `AutoTokenizer`.
        inputs: what it takes, of `text`, `image`, `video`.
        roles: role -> regular expressions that match whole names of `named_parameters()`. Every parameter
            has exactly one role.
        linears: role -> regular expressions on names of the `nn.Linear` modules that LoRA may wrap.
        lora_roles: roles LoRA takes when none are named.
        frozen: roles that stay as they are when the rest is fully trained.
        fp16_compute: False where activations leave the range of float16.
        attention: attention implementation to load with, `sdpa` or `eager`.
        image_tokens: how a picture becomes tokens: `grid` (by its size), `fixed`, `tiles`, `none`.
        time: how the model is told the time of a frame: `grid_seconds`, `timestamps`, `none`.
        licence: of the published weights; a catalogue entry may say otherwise.
        gated: whether the hub asks for an agreement first.
        build_inputs: see `example_inputs`.
        own_loss: whether the class computes a loss when it is given labels.
        known: False for the generic record of an unknown type.
    """

    model_type: str
    auto_class: str
    processor: str
    inputs: frozenset[str]
    roles: Mapping[str, tuple[str, ...]]
    linears: Mapping[str, tuple[str, ...]]
    lora_roles: tuple[str, ...]
    build_inputs: InputBuilder
    frozen: tuple[str, ...] = ()
    fp16_compute: bool = True
    attention: str = "sdpa"
    image_tokens: str = "none"
    time: str = "none"
    licence: str = "apache-2.0"
    gated: bool = False
    own_loss: bool = True
    known: bool = True

    def compute_dtype(
        self, device: str, wanted: str = "auto", capability: tuple[int, int] | None = None
    ) -> Choice:
        """The number format to compute in: `float32`, `float16` or `bfloat16`, and why.

        Args:
            device: `cpu` or `cuda:N`.
            wanted: `auto` or a name as `runtime.choose_dtype` takes it.
            capability: compute capability of the GPU; None asks the device.

        Raises:
            BadInput: float16 was asked of a family that overflows in it, or `wanted` is not possible there.
        """
        choice = choose_dtype(device, wanted, capability)
        if choice.value != "float16" or self.fp16_compute:
            return choice
        if wanted != "auto":
            raise BadInput(f"dtype {wanted}: {self.model_type} overflows in float16; use float32 or bfloat16")
        why = f"{self.model_type} overflows in float16, and this GPU only emulates bfloat16"
        return Choice("float32", why)

    def model_class(self, config: Any) -> Any:
        """The class that the auto class picks for a configuration.

        Raises:
            BadInput: the auto class has no model for this configuration.
        """
        import transformers

        mapping = getattr(transformers, self.auto_class)._model_mapping
        if type(config) not in mapping:
            raise BadInput(
                f"{config.model_type}: {self.auto_class} has no class for it; is the file damaged?"
            )
        return mapping[type(config)]

    def meta_model(self, config: Any, dtype: str = "float32", attention: str | None = None) -> "nn.Module":
        """The model at full size with its parameters and buffers on the meta device: no memory, no weights.

        Args:
            config: of the model; it is not changed.
            dtype: of the parameters.
            attention: attention implementation; None takes the family's.
        """
        import torch
        from transformers.initialization import no_init_weights

        config = deepcopy(config)
        config._attn_implementation = attention or self.attention
        with _configurations_unquestioned(), torch.device("meta"), no_init_weights():
            model = self.model_class(config)._from_config(config, dtype=getattr(torch, dtype))
        model.tie_weights()  # skipped together with the initialisation
        return model.to("meta").eval()  # parameters made by `torch.Tensor(...)` ignore the device in force

    def example_inputs(
        self, config: Any, shapes: Shapes, labels: bool = False, device: str = "cpu"
    ) -> dict[str, Any]:
        """What the stock processor would hand to the model for such shapes, with pixels drawn at random.

        Args:
            config: of the model; decides image tokens, grids and special ids.
            shapes: batch, pictures or frames, their side in pixels, text tokens. A text family leaves
                `images` out; where it is given frames it refuses.
            labels: also give what the class's own loss needs; nothing where it has none.
            device: of the pixel values alone, `cpu` or `meta`. Token ids, masks, grids and boxes are always
                real, because the models read their values.

        Raises:
            BadInput: shapes the family cannot take; says which it can.
        """
        if shapes.frames:
            self.check_task("video")
        return self.build_inputs(config, shapes, labels, device)

    def check_task(self, task: str) -> None:
        """Refuse a task this family cannot do.

        Args:
            task: infer, tune, full, text, code, degrade, image, attack, detector, segmenter or video.

        Raises:
            BadInput: an unknown task, or one that needs what the family does not take; says which.
        """
        if task not in _TASKS:
            raise BadInput(f"task {task!r} is not known; known tasks: {', '.join(_TASKS)}")
        needs = _TASKS[task]
        if needs and not self.inputs & set(needs):
            takes = " and ".join(sorted(self.inputs))
            raise BadInput(
                f"{self.model_type}: task {task} needs {' or '.join(needs)} as input, but this family takes "
                f"{takes} only; choose a family that does"
            )
