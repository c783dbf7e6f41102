"""What to change when a step does not fit."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbhelpers.runtime.tables import size_text

if TYPE_CHECKING:
    from nbhelpers.memory.dryrun.plan import MemoryPlan

# Savings below this share of the peak are not worth a person's attention.
_WORTH = 0.03


@dataclass(frozen=True)
class _Idea:
    """One change and about how many bytes it saves."""

    saves: int
    text: str


def advice(plan: "MemoryPlan") -> list[str]:
    """Changes that would make a plan smaller, the most effective first.

    The savings are estimates from the plan's own parts; a dry run with the change gives the number.
    """
    ideas = [*_weights(plan), *_training(plan), *_inputs(plan), *_logits(plan)]
    worth = [idea for idea in ideas if idea.saves > _WORTH * plan.peak]
    worth.sort(key=lambda idea: -idea.saves)
    return [f"{idea.text} (about {size_text(idea.saves)} less)" for idea in worth]


def _held(plan: "MemoryPlan", part: str) -> int:
    return sum(consumer.bytes for consumer in plan.largest if part in consumer.name)


def _weights(plan: "MemoryPlan") -> list[_Idea]:
    text = _held(plan, "weights of text.attention") + _held(plan, "weights of text.mlp")
    ideas = []
    if plan.quantize is None and plan.task != "full" and text:
        width = 4 if plan.dtype == "float32" else 2
        ideas.append(_Idea(int(text * (1 - 0.516 / width)), "4-bit text weights (quantize nf4)"))
    if plan.quantize is None and plan.dtype == "float32" and plan.device != "cpu":
        ideas.append(
            _Idea((plan.static + plan.activations) // 2, "a 16-bit dtype where model and GPU allow it")
        )
    return ideas


def _training(plan: "MemoryPlan") -> list[_Idea]:
    ideas = []
    kept = plan.activations if plan.task in {"tune", "full", "attack"} else 0
    if kept and not plan.gradient_checkpointing:
        ideas.append(_Idea(int(0.6 * kept), "gradient checkpointing"))
    if plan.task == "full":
        ideas.append(
            _Idea(int(0.9 * (plan.optimizer + plan.gradients)), "LoRA (task tune) in place of full training")
        )
    return ideas


def _inputs(plan: "MemoryPlan") -> list[_Idea]:
    shapes, ideas = plan.shapes, []
    if shapes.batch > 1:
        text = f"batch {shapes.batch // 2} with twice the accumulation steps"
        ideas.append(
            _Idea(
                plan.activations // 2, text if plan.task in {"tune", "full"} else f"batch {shapes.batch // 2}"
            )
        )
    if shapes.frames > 1:
        ideas.append(
            _Idea(plan.activations // 2, f"{max(1, shapes.frames // 2)} frames in place of {shapes.frames}")
        )
    if shapes.size and (shapes.frames or shapes.images):
        smaller = int(shapes.size * 0.7) // 28 * 28 or 28
        ideas.append(_Idea(plan.activations // 2, f"pictures of {smaller} px in place of {shapes.size}"))
    return ideas


def _logits(plan: "MemoryPlan") -> list[_Idea]:
    logits = _held(plan, "logits")
    return (
        [_Idea(int(0.8 * logits), "logits only where there is a label, in place of every token")]
        if logits
        else []
    )
