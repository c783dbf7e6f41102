"""What `accelerate estimate-memory` says of a model, for the column beside a dry run."""

import warnings
from dataclasses import dataclass
from typing import Any

from nbhelpers.memory.dryrun.family import DryRunFamily

# As in accelerate/commands/estimate.py: bytes of an Adam step per byte of the weights in float32.
_DIVISORS = {"float32": 1, "float16": 2, "bfloat16": 2, "int8": 4, "int4": 8}


@dataclass(frozen=True)
class Estimate:
    """accelerate's figures in bytes; activations, caches and adapters are in none of them.

    Attributes:
        largest_layer: of the module that may not be split.
        total: all weights.
        training: its figure for a step with Adam; None where it gives none (8 and 4 bits).
    """

    largest_layer: int
    total: int
    training: int | None


def accelerate_estimate(family: DryRunFamily, config: Any, dtype: str = "float16") -> Estimate:
    """Ask accelerate's own function, on the model without weights and without the hub.

    Args:
        family: of the model.
        config: a transformers configuration.
        dtype: `float32`, `float16`, `bfloat16`, `int8` or `int4`.
    """
    from accelerate.commands.estimate import estimate_training_usage
    from accelerate.utils import calculate_maximum_sizes

    model = family.meta_model(config)  # accelerate counts in float32 and divides
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        total, (largest, _) = calculate_maximum_sizes(model)
    divisor = _DIVISORS[dtype]
    usage = estimate_training_usage(total, dtype) if dtype in {"float32", "float16", "bfloat16"} else {}
    known = [size for size in usage.values() if size > 0]
    return Estimate(int(largest / divisor), int(total / divisor), int(max(known)) if known else None)
