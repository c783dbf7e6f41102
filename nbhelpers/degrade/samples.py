"""Records that come with the package, to be read and analysed without running anything."""

from pathlib import Path

SAMPLES = Path(__file__).with_name("samples")


def samples_folder() -> Path:
    """The folder of a small finished experiment on the twin, 100 to 200 texts of each method."""
    return SAMPLES
