"""The one place where ultralytics is set up: no network, no installs, no telemetry, no chatter."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

LICENCE = "AGPL-3.0"
LICENCE_NOTE = (
    "students are ultralytics models under AGPL-3.0 (https://ultralytics.com/license): whoever ships one, "
    "or serves one over a network, owes its users the source or holds a licence from Ultralytics"
)

# Read by ultralytics when it is imported, so they must stand before that.
_ENVIRONMENT = {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false"}
_INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")


def _config_folder() -> Path:
    """A scratch folder of this user for the settings file that ultralytics insists on writing."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(tempfile.gettempdir()) / f"nbhelpers-ultralytics-{user}"


@contextlib.contextmanager
def _process_kept() -> Iterator[None]:
    """Undo what importing ultralytics changes for all: print options, thread counts, patched functions."""
    import cv2
    import numpy as np
    import torch
    from PIL import Image

    printing, threads, cv2_threads = np.get_printoptions(), torch.get_num_threads(), cv2.getNumThreads()
    patched = [(torch, "save"), (cv2, "imread"), (cv2, "imwrite"), (cv2, "imshow"), (Image, "open")]
    originals = [getattr(module, name) for module, name in patched]
    omp = os.environ.get("OMP_NUM_THREADS")
    try:
        yield
    finally:
        for (module, name), original in zip(patched, originals, strict=True):
            setattr(module, name, original)
        np.set_printoptions(**printing)
        torch.set_printoptions(profile="default")
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv2_threads)
        if omp is None:
            os.environ.pop("OMP_NUM_THREADS", None)


@cache
def ultralytics() -> Any:
    """Import ultralytics with everything that reaches out of this process switched off; returns the package.

    Holds as well when somebody imported ultralytics before us: what the environment decides at import is
    set again on the loaded modules.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ[name] = value
    os.environ.setdefault("YOLO_CONFIG_DIR", str(_config_folder()))
    Path(os.environ["YOLO_CONFIG_DIR"]).mkdir(parents=True, exist_ok=True)
    with _process_kept():
        package = import_module("ultralytics")
        _switch_off(package)
    return package


def _switch_off(package: Any) -> None:
    """Settings, module constants and hooks: telemetry, syncing, integrations, installs and downloads."""
    package.settings.update({"sync": False, "api_key": "", **dict.fromkeys(_INTEGRATIONS, False)})
    for module in ("ultralytics.utils", "ultralytics.utils.checks", "ultralytics.utils.downloads"):
        for name in ("AUTOINSTALL", "ONLINE"):
            if hasattr(import_module(module), name):
                setattr(sys.modules[module], name, False)
    import_module("ultralytics.utils.events").events.enabled = False
    # Trainers collect upload callbacks here; ULTRALYTICS_API_KEY in the environment is enough to start one.
    for module in ("ultralytics.utils.callbacks", "ultralytics.utils.callbacks.base"):
        sys.modules.get(module) or import_module(module)
        sys.modules[module].add_integration_callbacks = _no_callbacks  # type: ignore[attr-defined]
    logger().setLevel(logging.ERROR)


def _no_callbacks(instance: Any) -> None:
    """Stand in for the collector of telemetry and upload callbacks."""


def logger() -> logging.Logger:
    """The logger all of ultralytics speaks through."""
    return logging.getLogger("ultralytics")
