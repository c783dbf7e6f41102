"""Dry runs beside real steps: predicted and measured peak of models of up to about 1 GB on this CPU.

    python benchmarks/dry_run.py [--cases qwen2-tune,sam-full] [--json]

Each case is a catalogue architecture cut down to a size a small machine holds, with random weights. The real
step runs in a process of its own on one thread; its peak is resident memory above what the process had after
its imports. Printed: both, the error, and the processor time of the dry run.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from typing import Any

from nbhelpers.memory import Shapes, dry_run, measure_step
from nbhelpers.models import family_of, full_config
from nbhelpers.runtime import text_table

MIB = 1 << 20


@dataclass(frozen=True)
class Case:
    """One model, cut down, and one step of it."""

    base: str
    task: str
    shapes: Shapes
    text: dict[str, Any]
    vision: dict[str, Any]
    checkpointing: bool = True

    def config(self) -> Any:
        """The catalogue's configuration with the changes."""
        config = full_config(self.base)
        for name, value in self.text.items():
            setattr(config.get_text_config(), name, value)
        for name, value in self.vision.items():
            setattr(config.vision_config, name, value)
        return config


def layers(count: int, **others: Any) -> dict[str, Any]:
    """Text settings with fewer layers; lists with an item per layer are cut to match."""
    return {"num_hidden_layers": count, "layer_types": ["full_attention"] * count, **others}


CASES = {
    "qwen2-full": Case(
        "qwen2.5-coder-0.5b", "full", Shapes(text_tokens=256), layers(3, vocab_size=16384), {}
    ),
    "qwen2-infer": Case("qwen2.5-coder-0.5b", "infer", Shapes(text_tokens=1024), layers(8), {}),
    "qwen2.5-vl-tune": Case(
        "qwen2.5-vl-3b", "tune", Shapes(images=0, frames=4, size=224), layers(2, vocab_size=32768 + 119_296),
        {"depth": 4, "fullatt_block_indexes": [1, 3]},
    ),
    "gemma-3-attack": Case(
        "gemma-3-4b", "attack", Shapes(text_tokens=64), layers(1, vocab_size=262_208, hidden_size=512,
        intermediate_size=2048), {"num_hidden_layers": 4},
    ),
    "smolvlm-tune": Case(
        "smolvlm-256m", "tune", Shapes(), layers(6), {"num_hidden_layers": 4}, checkpointing=False
    ),
    "sam-attack": Case(
        "sam-vit-base", "attack", Shapes(), {}, {"num_hidden_layers": 4, "global_attn_indexes": [1, 3]},
        checkpointing=False,
    ),
    "grounding-dino-tune": Case("grounding-dino-tiny", "tune", Shapes(size=320), {}, {}),
}  # fmt: skip


def run(case: Case) -> dict[str, Any]:
    """Predicted and measured bytes of one case."""
    config = case.config()
    family = family_of(config)
    options = {"gradient_checkpointing": case.checkpointing}
    plan = dry_run(family, config, case.task, case.shapes, device="cpu", dtype="float32", **options)
    seen = measure_step(family, config, case.task, case.shapes, **options)
    error = plan.peak / seen.peak - 1
    return {"predicted": plan.peak, "measured": seen.peak, "error": error, "seconds": plan.seconds,
            "measuring_seconds": seen.seconds, "largest": [asdict(one) for one in plan.largest]}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = {name: run(CASES[name]) for name in given.cases.split(",")}
    if given.json:
        print(json.dumps(found))
        return
    rows = [
        (name, f"{one['predicted'] / MIB:.0f}", f"{one['measured'] / MIB:.0f}", f"{one['error']:+.1%}",
         f"{one['seconds']:.1f}", f"{one['measuring_seconds']:.1f}")
        for name, one in found.items()
    ]  # fmt: skip
    print(text_table(rows, ("case", "predicted MiB", "measured MiB", "error", "dry run s", "real s")))


if __name__ == "__main__":
    main()
