"""The state of every random number generator in use, taken and given back."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch


def take_generators() -> dict[str, Any]:
    """The states of Python's, numpy's and torch's global generators, as tensors and plain values."""
    name, keys, place, has_gauss, gauss = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (
            name,
            torch.from_numpy(np.asarray(keys, np.int64)),
            int(place),
            int(has_gauss),
            float(gauss),
        ),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def give_generators(state: dict[str, Any]) -> None:
    """Set the generators to what `take_generators` took; GPUs that are no longer there are left out."""
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        for index, one in enumerate(state["cuda"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(one, index)


@contextlib.contextmanager
def generators_kept() -> Iterator[None]:
    """Whatever is drawn inside, outside it was not drawn."""
    state = take_generators()
    try:
        yield
    finally:
        give_generators(state)
