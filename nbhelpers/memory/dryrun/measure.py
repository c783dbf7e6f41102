"""The memory a real step takes on this CPU, measured in a process of its own."""

import json
import os
import pickle
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbhelpers.errors import CheckFailed
from nbhelpers.memory.dryrun.family import DryRunFamily
from nbhelpers.memory.shapes import Shapes

# glibc then gives every tensor of 64 KiB or more pages of its own, which go back to the system when it is
# freed; by default its threshold grows with use and freed memory stays with the process.
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_ARENA_MAX": "1"}
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Measured:
    """What a child process saw, in bytes above what it had after its imports and a small warm-up step.

    Attributes:
        peak: highest resident memory.
        seconds: the steps and the building of the model.
    """

    peak: int
    seconds: float


def measure_step(
    family: DryRunFamily,
    config: Any,
    task: str,
    shapes: Shapes | None = None,
    *,
    gradient_checkpointing: bool = True,
    attention: str | None = None,
    steps: int = 2,
    timeout_s: float = 600,
) -> Measured:
    """Run real steps in float32 with random weights and measure resident memory.

    Linux counts the peak itself, so none is missed. Compare with `dry_run(..., device="cpu")`.

    Args:
        family: of the model; must pickle, as the catalogue's families do.
        config: a transformers configuration, of a size this machine can hold.
        task: as in `dry_run`.
        shapes: as in `dry_run`.
        gradient_checkpointing: as in `dry_run`.
        attention: as in `dry_run`.
        steps: optimiser states exist from the second one on.
        timeout_s: after which the child is stopped.

    Raises:
        CheckFailed: the child failed; says with what.
    """
    asked = {
        "family": family,
        "config": config,
        "task": task,
        "shapes": shapes or Shapes(),
        "checkpointing": gradient_checkpointing,
        "attention": attention,
        "steps": steps,
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "step.pickle"
        file.write_bytes(pickle.dumps(asked))
        command = [sys.executable, "-m", "nbhelpers.memory.dryrun.child", str(file)]
        environment = {**os.environ, **_MALLOC, **_ONE_THREAD}
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=timeout_s, check=False
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CheckFailed(f"measuring a step of {family.model_type} failed: {last}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))
