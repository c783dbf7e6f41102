"""What runs leave on disk: atomic writes, append-only records, hashes, run folders and `results.json`."""

import hashlib
import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from nbhelpers.errors import BadInput


def write_atomic(path: Path, content: bytes | str, *, sync: bool = True) -> Path:
    """Write a whole file or nothing: a temporary file in the same folder, synced, then renamed to `path`.

    Args:
        path: its folder is made if missing.
        content: text is written as UTF-8.
        sync: wait until the disk has it. False where a file that is lost or damaged with the power is noticed
            by its hash and made again: thousands of small ones are then many times as fast.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    # Not `tempfile`: its files are private to the user, and results are meant to be read by others too.
    temporary = path.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def plain(value: Any) -> Any:
    """Turn dataclasses, pydantic models, paths, numpy scalars and arrays into what strict JSON can hold.

    Non-finite floats become `None`: NaN is not JSON, and readers in other languages refuse it.
    """
    if value is None or isinstance(value, str | int):  # the commonest first: large sets hold millions
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):  # in an order that is the same in every process
        return sorted((plain(item) for item in value), key=repr)
    return _plain_object(value)


def _plain_object(value: Any) -> Any:
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, type):
        return str(value)
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    if is_dataclass(value):
        return plain({item.name: getattr(value, item.name) for item in fields(value)})
    if hasattr(value, "tolist"):  # numpy arrays and scalars, without importing numpy here
        return plain(value.tolist())
    return str(value)


def to_json(value: Any, indent: int | None = 2) -> str:
    """Strict JSON text of anything `plain` understands, non-ASCII characters kept as they are."""
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


def write_json(path: Path, value: Any, indent: int | None = 2) -> Path:
    """Write `value` as JSON, atomically."""
    return write_atomic(path, to_json(value, indent) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        BadInput: the file is missing or is not JSON; names the file, line and column.
    """
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: is a folder; name the JSON file in it") from None
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: is not a text file in UTF-8 ({error.reason} at byte {error.start})"
        ) from None
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{path}: is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or brackets without end
        raise BadInput(f"{path}: is JSON that cannot be used: {error}") from None


def append_record(path: Path, record: Any) -> None:
    """Append one line to a JSON-lines file in one write: a kill leaves whole lines or a cut last one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = (to_json(record, indent=None) + "\n").encode()
    with path.open("ab+") as file:
        if file.tell() and not _ends_with_newline(file):
            line = b"\n" + line  # a kill cut the line before: keep it apart from this one
        file.write(line)


def _ends_with_newline(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


def read_records(path: Path) -> Iterator[Any]:
    """Yield the whole records of a JSON-lines file; a line cut short by a kill is left out."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                continue


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_value(value: Any) -> str:
    """Hex SHA-256 of a value's canonical JSON; equal settings give equal hashes whatever their order."""
    text = json.dumps(plain(value), sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Check:
    """One expectation of a phase: `value` was measured, `bar` was asked for, `ok` says whether it was met."""

    name: str
    value: Any
    bar: str
    ok: bool


@dataclass(frozen=True)
class Metric:
    """One measured number with the size of the sample it rests on and, where there is one, its interval."""

    value: float | int | str | None
    n: int
    unit: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class RunFolder:
    """The folder `runs/<id>/<phase>/` and the names of what lies in it."""

    path: Path
    figures: Path = field(init=False)

    def __post_init__(self) -> None:
        """Make the folder and its `figures/`."""
        object.__setattr__(self, "figures", self.path / "figures")
        self.figures.mkdir(parents=True, exist_ok=True)

    @property
    def settings(self) -> Path:
        """The settings the phase really used, as YAML."""
        return self.path / "settings.yaml"

    @property
    def results(self) -> Path:
        """What the phase measured, as JSON."""
        return self.path / "results.json"

    @property
    def records(self) -> Path:
        """Append-only records, JSON lines."""
        return self.path / "records.jsonl"


def run_folder(root: Path, run_id: str, phase: str) -> RunFolder:
    """Open (and make) the folder of one phase of one run.

    Raises:
        BadInput: `run_id` would leave `root` or is not a plain folder name.
    """
    if not run_id or run_id in {".", ".."} or any(c in run_id for c in '/\\:*?"<>|\0'):
        raise BadInput(f"run id {run_id!r}: use letters, digits, '-', '_' and '.' only")
    return RunFolder(Path(root) / run_id / phase)
