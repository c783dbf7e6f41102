"""The process in which `measure_step` runs: builds a model with random weights and runs real steps."""

import json
import pickle
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.memory.dryrun import steps
from nbhelpers.memory.dryrun.adapters import default_lora
from nbhelpers.memory.watch import watch

if TYPE_CHECKING:
    from torch import nn

_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_PR_SET_THP_DISABLE = 41  # of this process alone; linux/prctl.h


def main(file: Path) -> dict[str, Any]:
    """Measure what the file asks for."""
    import torch

    torch.set_num_threads(1)
    _plain_pages()
    asked = pickle.loads(file.read_bytes())  # written by the parent process a moment ago
    _warm_up(asked)
    began = time.monotonic()
    with watch(0.02) as seen:
        _run(asked)
    return {"peak": seen.grown_bytes, "seconds": time.monotonic() - began}


def _plain_pages(setting: Path = _HUGE_PAGES) -> None:
    """Do without huge pages where Linux hands them out unasked: they are resident before they are used.

    Args:
        setting: the kernel's file that says who gets them; it is missing where there are none.

    Raises:
        OSError: the kernel has them and does not let them go.
    """
    if not setting.is_file() or "[always]" not in setting.read_text():
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_THP_DISABLE)")


def _warm_up(asked: dict[str, Any]) -> None:
    """Let libraries load what they load once: model code, kernels, autograd, the optimizer."""
    import peft  # noqa: F401
    import torch
    from torch import nn

    asked["family"].meta_model(asked["config"])
    layers = nn.Sequential(
        nn.Conv2d(3, 32, 4, 4), nn.Conv2d(32, 32, 3, padding=1), nn.ConvTranspose2d(32, 32, 2, 2),
        nn.Conv2d(32, 32, 2, 2), nn.Flatten(2), nn.Linear(256, 64), nn.LayerNorm(64), nn.GELU(),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(layers.parameters())
    hidden = layers(torch.randn(2, 3, 64, 64))[:, None]
    attended = nn.functional.scaled_dot_product_attention(hidden, hidden, hidden)
    nn.functional.cross_entropy(attended.reshape(-1, 64), torch.zeros(64, dtype=torch.long)).backward()
    optimizer.step()


def _run(asked: dict[str, Any]) -> None:
    import torch

    family, config, task, shapes = (asked[name] for name in ("family", "config", "task", "shapes"))
    model = _fill(family.meta_model(config, "float32", asked["attention"]))
    if task == "tune":
        model = _fill(default_lora(family)(model), adapters=True)
    steps.prepare(model, task, asked["checkpointing"])
    inputs = family.example_inputs(config, shapes, task != "infer", "cpu")
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained) if task in {"tune", "full"} else None
    for _ in range(asked["steps"] if optimizer else 1):
        steps.run_step(model, inputs, task, optimizer, shapes.new_tokens, lambda *_: None)


def _fill(model: "nn.Module", adapters: bool = False) -> "nn.Module":
    """Random weights and zero buffers in place of those on the meta device."""
    import torch

    with torch.no_grad():
        if not adapters:
            model.to_empty(device="cpu")
            model.tie_weights()  # type: ignore[operator]
            for buffer in model.buffers():
                buffer.zero_()
        for name, parameter in model.named_parameters():
            if ".lora_" in name or not adapters:
                parameter.normal_(0, 0.02)
    return model


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
