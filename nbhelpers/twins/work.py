"""Where and how a twin trains: its state lies below `runs/twins/`, never in `checkpoints/`; one thread."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from nbhelpers.errors import BadInput

REPOSITORY = Path(__file__).resolve().parents[2]


def work_folder(name: str, seed: int = 0, root: Path | None = None) -> Path:
    """The folder `runs/twins/<name>-seed<seed>` of the clone, or of the current folder where there is none.

    Checkpoints of `training.fit` belong here, one sub-folder per stage, so that a second call goes on.

    Args:
        name: of the twin, such as "sam".
        seed: of its training.
        root: instead of `runs/twins`.
    """
    if not name or "/" in name or name.startswith("."):
        raise BadInput(f"twin {name!r}: is no name of a folder")
    clone = (REPOSITORY / "pyproject.toml").is_file()
    base = root or (REPOSITORY if clone else Path.cwd()) / "runs" / "twins"
    folder = base / f"{name}-seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and OpenCV compute with one thread, so that a seed has one outcome; then as before."""
    import cv2
    import torch

    before, drawing = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        cv2.setNumThreads(drawing)
