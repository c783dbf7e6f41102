"""Where this process runs (Kaggle, Colab, Jupyter, papermill, a script) and where its files go."""

import getpass
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["kaggle", "colab", "jupyter", "papermill", "script"]


@dataclass(frozen=True)
class Place:
    """Where the process runs and which folders suit large throw-away files and small results.

    Attributes:
        kind: `kaggle` and `colab` win over `papermill`, because they decide the folders.
        reason: one sentence: what gave the place away.
        scratch: large files that may vanish. Not created here.
        results: small files worth keeping.
        model_cache: the Hugging Face cache folder.
    """

    kind: Kind
    reason: str
    scratch: Path
    results: Path
    model_cache: Path


@dataclass(frozen=True)
class Disk:
    """Room on the file system that holds `path`, in bytes."""

    path: Path
    total_bytes: int
    free_bytes: int


def where() -> Place:
    """Find out where this process runs; looks at the environment and loaded modules only, and writes nothing.

    `NBHELPERS_SCRATCH`, `NBHELPERS_RESULTS` and `HF_HOME` override the folders.
    """
    kind, reason = _kind()
    # On Kaggle /kaggle/working holds about 19.5 GB and is kept; /tmp holds about 1 TB and is not.
    scratch = Path("/tmp") if kind == "kaggle" else Path(tempfile.gettempdir())
    scratch = _folder("NBHELPERS_SCRATCH", scratch / f"nbhelpers-{_user()}")
    results = {"kaggle": Path("/kaggle/working"), "colab": Path("/content")}.get(kind, Path.cwd())
    cache = scratch / "huggingface" if kind == "kaggle" else Path.home() / ".cache" / "huggingface"
    return Place(kind, reason, scratch, _folder("NBHELPERS_RESULTS", results), _folder("HF_HOME", cache))


def _kind() -> tuple[Kind, str]:
    run_type = os.environ.get("KAGGLE_KERNEL_RUN_TYPE")
    if run_type:
        return "kaggle", f"KAGGLE_KERNEL_RUN_TYPE is {run_type}"
    if Path("/kaggle/working").is_dir():
        return "kaggle", "the folder /kaggle/working exists"
    if "COLAB_RELEASE_TAG" in os.environ or "google.colab" in sys.modules:
        return "colab", "Colab's environment variables or its module are present"
    if under_papermill():
        return "papermill", "NBHELPERS_PAPERMILL is set by the runner"
    if in_jupyter():
        return "jupyter", "an IPython kernel runs this process"
    return "script", "no notebook kernel runs this process"


def under_papermill() -> bool:
    """Whether the notebook runner started this process (`NBHELPERS_PAPERMILL`), wherever it runs."""
    return os.environ.get("NBHELPERS_PAPERMILL", "") not in {"", "0"}


def in_jupyter() -> bool:
    """Whether a notebook kernel (not an IPython terminal) runs this process; imports nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ in {"ZMQInteractiveShell", "Shell"}  # `Shell` is Colab's


def headless() -> bool:
    """Whether nobody watches: papermill, a saved Kaggle version, or no terminal and no live notebook."""
    if under_papermill() or os.environ.get("KAGGLE_KERNEL_RUN_TYPE") == "Batch":
        return True
    return not (in_jupyter() or (sys.stderr is not None and sys.stderr.isatty()))


def disk(path: Path) -> Disk:
    """Room where `path` is, or would be made (its nearest existing parent is asked)."""
    folder = Path(path).absolute()
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return Disk(Path(path), usage.total, usage.free)


def use_model_cache(place: Place | None = None) -> Path:
    """Point Hugging Face libraries at the place's cache, unless `HF_HOME` is set; call before import."""
    place = place or where()
    os.environ.setdefault("HF_HOME", str(place.model_cache))
    return Path(os.environ["HF_HOME"])


def _folder(variable: str, otherwise: Path) -> Path:
    return Path(os.environ.get(variable) or otherwise)


def _user() -> str:
    try:
        return getpass.getuser()
    except (
        KeyError,
        OSError,
        ImportError,
    ):  # a container's user id without a name (OSError from Python 3.13)
        return str(os.getuid())
