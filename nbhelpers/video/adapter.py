"""What lies beside a video adapter: the operations it was tuned on, and how clips were sampled."""

from collections.abc import Sequence
from pathlib import Path

from nbhelpers.artifacts import read_json, write_json
from nbhelpers.errors import BadInput

FILE = "video.json"


def write_operations(adapter: Path, operations: Sequence[str]) -> None:
    """Remember the names of the operations beside an adapter."""
    write_json(Path(adapter) / FILE, {"operations": list(operations)})


def read_operations(adapter: str | Path) -> tuple[str, ...]:
    """Names of the operations an adapter was tuned on; empty where its folder does not say.

    Raises:
        BadInput: the file is there and is none of ours.
    """
    path = Path(adapter) / FILE
    if not path.is_file():
        return ()
    names = read_json(path).get("operations")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadInput(f'{path}: must hold {{"operations": [names]}}')
    return tuple(names)
