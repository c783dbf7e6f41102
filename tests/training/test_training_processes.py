"""Two processes take the steps that one takes with twice the micro-batches."""

import os
import subprocess
import sys
from pathlib import Path

import launched_training
import pytest
import torch

pytestmark = pytest.mark.slow


def launch(folder, accumulate):
    """Two processes on the CPU: accelerate's own launcher starts several on GPUs only."""
    script = Path(__file__).with_name("launched_training.py")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = os.environ | {
        "NBHELPERS_PROGRESS": "off",
        "OMP_NUM_THREADS": "1",
        "ACCELERATE_USE_CPU": "1",
    }
    command = [*torchrun, script, folder, str(accumulate)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment, check=False)


def test_two_processes_are_twice_the_accumulation(tmp_path):
    launched_training.main(tmp_path / "one", accumulate=2)
    done = launch(tmp_path / "two", accumulate=1)
    assert done.returncode == 0, done.stderr
    one = torch.load(tmp_path / "one" / "rank-0.pt")["model"]
    for rank in range(2):
        two = torch.load(tmp_path / "two" / f"rank-{rank}.pt")
        assert two["calls"] == [("steps", 10, 0), ("steps", 10, 10)]
        assert all(torch.allclose(one[name], two["model"][name], atol=1e-6) for name in one)
    assert len(list((tmp_path / "two").glob("best-*.pt"))) == 1
