"""One call that seeds every random number generator in use."""

import os
import random
import sys

from nbhelpers.errors import BadInput


def seed_everything(seed: int, *, deterministic: bool = False) -> None:
    """Seed Python, numpy and, where it is already imported, torch on the CPU and all GPUs.

    Sets `PYTHONHASHSEED` for child processes and, unless it is set, `CUBLAS_WORKSPACE_CONFIG`, which cuBLAS
    reads when it starts. Not covered: the hash seed of this process; torch imported *after* this call (call
    again); generators made elsewhere (`numpy.random.default_rng()`); the order in which threads and
    data-loader workers finish; GPU kernels that add in no fixed order, unless `deterministic`; equality
    between machines, library versions or thread counts.

    Args:
        seed: 0 to 2**32 - 1, the range numpy takes.
        deterministic: also ask torch for deterministic kernels (slower); those that have none warn.

    Raises:
        BadInput: `seed` is outside the range.
    """
    if not 0 <= seed < 2**32:
        raise BadInput(f"seed {seed}: must be between 0 and {2**32 - 1}")
    import numpy as np

    os.environ["PYTHONHASHSEED"] = str(seed)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    random.seed(seed)
    np.random.seed(seed)
    if "torch" in sys.modules:
        _seed_torch(seed, deterministic)


def _seed_torch(seed: int, deterministic: bool) -> None:
    import torch

    torch.manual_seed(seed)  # also every CUDA device, lazily where CUDA has not started
    if deterministic:
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
