"""albumentations, imported so that it stays off the network and prints nothing."""

import os
from types import ModuleType


def albumentations() -> ModuleType:
    """The library; the first import would ask the package index for a newer version unless told not to."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations

    return albumentations
