"""Tensors on disk: atomic writes and reads that run no code from the file."""

import io
import pickle
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import write_atomic
from nbhelpers.errors import BadInput


def save_tensors(path: Path, record: dict[str, Any]) -> Path:
    """Write tensors and plain values with `torch.save`, atomically."""
    import torch

    buffer = io.BytesIO()
    torch.save(record, buffer)
    return write_atomic(Path(path), buffer.getvalue())


def load_tensors(path: Path) -> dict[str, Any]:
    """Read what `save_tensors` wrote, onto the CPU; only tensors and plain values are accepted.

    Raises:
        BadInput: no such file, or not such a file.
    """
    import torch

    if not path.is_file():
        raise BadInput(f"{path}: there is no such file; train a student first")
    try:
        record = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{path}: cannot be read as a student file ({reason[:120]})") from None
    if not isinstance(record, dict):
        raise BadInput(
            f"{path}: is not a student file of this package; give best.pt or last.pt of a training"
        )
    return record
