"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from nbhelpers.errors import BadInput

Data = Annotated[Path, typer.Option("--data", metavar="FILE", help="COCO JSON file.")]
Images = Annotated[
    Path | None,
    typer.Option(
        "--images",
        metavar="DIR",
        help="Folder of its images; without it they are looked for beside the file and in images/ there.",
    ),
]
Output = Annotated[
    Path, typer.Option("--output", metavar="DIR", help="Folder to write into; made if missing.")
]
Gpu = Annotated[
    int | None,
    typer.Option("--gpu", metavar="INDEX", help="Use this GPU; without it the choice is made for you."),
]
Teachers = Annotated[
    Path | None, typer.Option("--teachers", metavar="DIR", help="Folder that train-teacher wrote.")
]
Confidence = Annotated[
    float | None,
    typer.Option(
        "--confidence",
        min=0,
        max=1,
        help="Leave out what the model is less sure of; 0.25, or the teachers' own thresholds.",
    ),
]


IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def device_for(gpu: int | None) -> str:
    """The torch name of the device meant by `--gpu`."""
    from nbhelpers.runtime import choose_device

    return choose_device("auto" if gpu is None else f"cuda:{gpu}").value


def existing_file(path: Path, option: str) -> Path:
    """The path itself.

    Raises:
        BadInput: there is no such file.
    """
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "there is no such file"
        raise BadInput(f"{option} {path}: {what}")
    return path


def existing_folder(path: Path | None, option: str) -> Path | None:
    """The path itself, None included.

    Raises:
        BadInput: there is no such folder.
    """
    if path is not None and not path.is_dir():
        raise BadInput(f"{option} {path}: there is no such folder")
    return path
