"""Dry runs beside real steps: models of up to a gigabyte, whose peak this machine's CPU can show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from nbhelpers.errors import BadInput
from nbhelpers.memory.shapes import Shapes


@dataclass(frozen=True)
class Case:
    """One step of a catalogue architecture, cut down to a size that a small machine holds.

    Attributes:
        base: name in the catalogue; a twin is taken as it is.
        task: `infer`, `tune`, `full` or `attack`.
        shapes: what goes through in the step.
        layers: of the text model; None leaves them.
        text: other changes to the text configuration.
        vision: changes to the vision configuration.
        checkpointing: compute activations again in the backward pass.
        image_tokens: of one picture, where the family has a fixed number of them; None leaves it.
    """

    base: str
    task: str
    shapes: Shapes
    layers: int | None = None
    text: Mapping[str, Any] = field(default_factory=dict)
    vision: Mapping[str, Any] = field(default_factory=dict)
    checkpointing: bool = True
    image_tokens: int | None = None

    def config(self) -> Any:
        """The catalogue's configuration with the changes."""
        from nbhelpers.models.catalog import full_config

        config = full_config(self.base)
        text = config.get_text_config()
        if self.layers is not None:
            text.num_hidden_layers = self.layers
            if getattr(text, "layer_types", None):
                text.layer_types = ["full_attention"] * self.layers
        if self.image_tokens is not None:
            config.mm_tokens_per_image = self.image_tokens
        for name, value in self.text.items():
            setattr(text, name, value)
        for name, value in self.vision.items():
            setattr(config.vision_config, name, value)
        return config


CASES: Mapping[str, Case] = MappingProxyType(
    {
        "qwen2, full": Case("qwen2.5-coder-0.5b", "full", Shapes(text_tokens=256), 2, {"vocab_size": 8192}),
        "qwen2, infer": Case("qwen2.5-coder-0.5b", "infer", Shapes(text_tokens=512), 4),
        "qwen2.5-vl, tune on video": Case(
            "qwen2.5-vl-3b", "tune", Shapes(images=0, frames=4, size=168), 1,
            {"hidden_size": 512, "intermediate_size": 1376, "num_attention_heads": 4,
             "num_key_value_heads": 2},
            {"depth": 4, "fullatt_block_indexes": [1, 3], "hidden_size": 512, "intermediate_size": 1368,
             "num_heads": 8, "out_hidden_size": 512},
        ),
        "gemma-3, attack": Case(
            "gemma-3-4b", "attack", Shapes(text_tokens=64), 2,
            {"vocab_size": 262_208, "hidden_size": 256, "intermediate_size": 1024}, {"num_hidden_layers": 2},
            image_tokens=64,
        ),
        "sam, attack": Case(
            "sam-vit-base", "attack", Shapes(), None, {}, {"num_hidden_layers": 1, "global_attn_indexes": []},
            checkpointing=False,
        ),
        "smolvlm, tune": Case(
            "smolvlm-256m", "tune", Shapes(size=512), 4, {}, {"num_hidden_layers": 2}, checkpointing=False
        ),
        "grounding-dino, tune": Case("grounding-dino-tiny", "tune", Shapes(size=224)),
        "tiny/sam, full, 128 images": Case("tiny/sam", "full", Shapes(batch=128)),
        "tiny/qwen2.5-coder, full, 64 texts": Case(
            "tiny/qwen2.5-coder", "full", Shapes(batch=64, text_tokens=256)
        ),
    }
)  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """One case: its peak, predicted and measured, and what another tool says.

    Attributes:
        name: of the case.
        predicted: peak by the dry run, bytes.
        measured: peak of the real step, bytes.
        accelerate: what `accelerate estimate-memory` gives, bytes: for `tune` and `full` its figure of a
            training with Adam, else the weights.
        seconds: processor time of the dry run.
    """

    name: str
    predicted: int
    measured: int
    accelerate: int
    seconds: float

    @property
    def error(self) -> float:
        """Predicted over measured, less 1."""
        return self.predicted / self.measured - 1


def compare_step(name: str) -> Compared:
    """Predict one case and measure it in a process of its own, in float32 on one thread.

    Raises:
        BadInput: no case has this name.
        CheckFailed: the step failed.
    """
    from nbhelpers.memory import accelerate_estimate, dry_run, measure_step
    from nbhelpers.models.families import family_of

    if name not in CASES:
        raise BadInput(f"case {name!r} is not known; known cases: {', '.join(CASES)}")
    case = CASES[name]
    config = case.config()
    family = family_of(config)
    saved = case.checkpointing
    plan = dry_run(
        family, config, case.task, case.shapes, device="cpu", dtype="float32", gradient_checkpointing=saved
    )
    seen = measure_step(family, config, case.task, case.shapes, gradient_checkpointing=saved)
    said = accelerate_estimate(family, config, "float32")
    other = said.training if case.task in {"tune", "full"} and said.training else said.total
    return Compared(name, plan.peak, seen.peak, other, plan.seconds)


def compare_steps(names: Sequence[str] = tuple(CASES)) -> list[Compared]:
    """Predict and measure several cases, one after the other."""
    from nbhelpers.runtime import progress

    return [compare_step(name) for name in progress(names, label="real steps", unit="step")]
