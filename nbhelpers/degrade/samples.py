"""Records that come with the package, to be read and analysed without running anything.

Made by `nbhelpers degrade --profile cpu --output nbhelpers/degrade/samples --set degrade.prompts=5 --set
degrade.repeats=1 --set 'degrade.controls=[]'`; journals and timings were left out.
"""

from pathlib import Path

SAMPLES = Path(__file__).with_name("samples")


def samples_folder() -> Path:
    """The folder of a small finished experiment on the twin, 100 to 200 texts of each method."""
    return SAMPLES
