"""A generated project: text files by relative path."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nbhelpers.artifacts import sha256_value, write_atomic
from nbhelpers.errors import BadInput

_MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class Project:
    """Files of a program, in memory.

    Attributes:
        files: text by path; paths are relative, with `/`, and stay inside.
        entry: module that is imported first; it holds `app` where the program is a web service.
    """

    files: Mapping[str, str]
    entry: str = "main"

    def __post_init__(self) -> None:
        """Refuse paths that lead out of the folder.

        Raises:
            BadInput: names the path.
        """
        for name in self.files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name or "\0" in name:
                raise BadInput(f"generated file {name!r}: its path must be relative and stay in its folder")

    @property
    def sources(self) -> dict[str, str]:
        """The Python files."""
        return {name: text for name, text in self.files.items() if name.endswith(".py")}

    @property
    def lines(self) -> int:
        """Lines of Python in all."""
        return sum(text.count("\n") for text in self.sources.values())

    @property
    def digest(self) -> str:
        """SHA-256 of everything in it."""
        return sha256_value({"files": dict(self.files), "entry": self.entry})

    def write(self, folder: Path) -> Path:
        """Write every file below `folder`; files of other names that lie there stay."""
        for name, text in self.files.items():
            write_atomic(folder / name, text.encode("utf-8", "backslashreplace"))
        return folder


def read_project(path: Path) -> Project:
    """A project from disk: one `.py` file, or a folder with all its text files.

    Raises:
        BadInput: there is nothing at `path`, no Python in it, more than 4 MiB, or a file not in UTF-8.
    """
    if not path.exists():
        raise BadInput(f"{path}: there is no such file or folder")
    found = _files(path)
    if not any(name.endswith(".py") for name in found):
        raise BadInput(f"{path}: holds no Python file")
    if sum(file.stat().st_size for file in found.values()) > _MOST_BYTES:
        raise BadInput(
            f"{path}: holds more than {_MOST_BYTES >> 20} MiB of text; name the program's own folder"
        )
    files = {name: _text(file) for name, file in found.items()}
    return Project(files, entry_of(files))


def _files(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {path.name: path}
    kept = {".py", ".txt", ".toml", ".md", ".html", ".cfg", ".json", ".yaml"}
    inside = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix in kept)
    hidden = {".git", ".venv", "venv", "node_modules", "__pycache__"}
    return {
        file.relative_to(path).as_posix(): file
        for file in inside
        if not hidden & set(file.relative_to(path).parts)
    }


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: is not text in UTF-8 ({error.reason} at byte {error.start})") from None


def entry_of(files: Mapping[str, str]) -> str:
    """The module that holds the program: Django's `wsgi`, else `main`, `app`, or the only one there is."""
    modules = [name.removesuffix(".py").replace("/", ".") for name in files if name.endswith(".py")]
    wsgi = [name for name in modules if name.endswith(".wsgi")]
    named = [name for name in ("main", "app") if name in modules]
    programs = [name for name in modules if "test" not in name and not name.endswith("__init__")]
    return (wsgi + named + programs + modules)[0]
