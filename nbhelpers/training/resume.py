"""Whether the training in a folder is the one that is asked for now."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from nbhelpers.errors import BadInput
from nbhelpers.training.settings import FitSettings

# What changes no step that was taken.
FREE = ("max_seconds", "checkpoint_every_s", "keep_best", "tensorboard", "log_every", "prefetch")
# Settings younger than some checkpoints, which were made as if they had been these.
YOUNGER = {"average": None, "average_warmup": 2000}


def refuse_other_settings(kept: dict[str, Any], settings: FitSettings, folder: Path) -> None:
    """Compare the settings of the checkpoint with those asked for.

    `FREE` settings may change, and `steps` may grow: the learning rate then follows the longer schedule from
    the step reached on.

    Raises:
        BadInput: names the first setting that differs.
    """
    now, kept = plain_settings(settings), {**YOUNGER, **kept}
    for name, value in now.items():
        if name in FREE or kept.get(name) == value:
            continue
        if name == "steps" and value > kept["steps"]:
            continue
        raise BadInput(
            f"{folder}: holds a training with {name}={kept.get(name)}, asked for is {value}; give another "
            f"folder or resume=False (only {', '.join(FREE)} may change, and steps grow)"
        )


def refuse_others(kept: dict[str, Any], own: dict[str, Any], folder: Path) -> None:
    """Compare what else the steps depend on: name to value, such as data, frozen weights, processes.

    Raises:
        BadInput: names what differs.
    """
    for name, value in own.items():
        if kept.get(name) != value:
            raise BadInput(
                f"{folder}: holds a training with other {name}; give another folder or resume=False"
            )


def plain_settings(settings: FitSettings) -> dict[str, Any]:
    """The settings as a checkpoint keeps them: lists for tuples."""
    return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(settings).items()}
