"""Where a twin's training keeps its state: below `runs/twins/`, never in `checkpoints/`."""

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
