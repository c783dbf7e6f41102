"""Hashes by which a phase knows that nothing it rests on has changed."""

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import nbhelpers
from nbhelpers.artifacts import sha256_file, sha256_value

LIBRARIES = (
    "torch",
    "torchvision",
    "transformers",
    "peft",
    "albumentations",
    "ultralytics",
    "onnx",
    "onnxruntime",
    "pycocotools",
    "supervision",
    "numpy",
)
IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"})


def digest(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, or of the names and bytes of everything in a folder."""
    if not path.is_dir():
        return sha256_file(path)
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return sha256_value([(p.relative_to(path).as_posix(), sha256_file(p)) for p in files])


def listing(folder: Path, below: bool = True) -> str:
    """Hex SHA-256 of the names, sizes and times of a folder's images; there may be too many to read."""
    paths = folder.rglob("*") if below else folder.glob("*")
    files = sorted(p for p in paths if p.suffix.lower() in IMAGES and p.is_file())
    facts = [(p.relative_to(folder).as_posix(), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    return sha256_value(facts)


def data_digest(data: Path, images: Path | None) -> str:
    """Hash of a COCO file and of its images: those in `images`, else those beside it and in `images/`."""
    if images is not None:
        return sha256_value([sha256_file(data), listing(images)])
    beside = data.parent / "images"
    near = [listing(data.parent, below=False), listing(beside) if beside.is_dir() else ""]
    return sha256_value([sha256_file(data), *near])


def notebook_code(notebook: Any) -> str:
    """Hash of a notebook's code cells; its prose and its outputs do not count."""
    return sha256_value([cell.source for cell in notebook.cells if cell.cell_type == "code"])


@cache
def package_code() -> str:
    """Hash of the package's sources that notebooks run on: all but the command line and the runner."""
    return sources_digest(Path(nbhelpers.__file__).parent)


def sources_digest(root: Path) -> str:
    """Hash of the names and bytes of a package's sources, the command line and the runner left out."""
    hashed = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name.startswith("cli/") or (name.startswith("notebooks/") and name != "notebooks/session.py"):
            continue
        hashed.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return hashed.hexdigest()


@cache
def library_versions() -> str:
    """Hash of the versions of the libraries whose numbers end in the results."""
    installed = {d.name.lower(): d.version for d in metadata.distributions() if d.name}
    return sha256_value({name: installed.get(name, "") for name in LIBRARIES})
