"""Where the twins' files lie: in a clone, or inside the installed package."""

import re
from pathlib import Path

from nbhelpers.errors import BadInput

_PACKAGE = Path(__file__).resolve().parents[1]


def twins_root(package: Path = _PACKAGE) -> Path:
    """The folder that holds one folder per twin; in a clone it need not exist yet.

    Args:
        package: folder of the package's sources; a clone is known by the `pyproject.toml` beside it.
    """
    clone = package.parent
    if (clone / "pyproject.toml").is_file():
        return clone / "checkpoints" / "tiny"
    return package / "checkpoints" / "tiny"


def twin_folder(name: str, root: Path | None = None) -> Path:
    """The folder of one twin's weights, tokenizer and processor files.

    Args:
        name: `tiny/gemma-3`, or `gemma-3` alone.
        root: folder that holds the twins; None looks beside the package.

    Raises:
        BadInput: the name is no folder name, or there is no such twin; lists those there are.
    """
    short, root = name.removeprefix("tiny/"), root or twins_root()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", short):
        raise BadInput(f"twin {name!r}: use a name such as tiny/gemma-3")
    if (root / short / "config.json").is_file():
        return root / short
    there = sorted(f"tiny/{path.parent.name}" for path in root.glob("*/config.json"))
    known = f"there are {', '.join(there)}" if there else "there is none yet"
    raise BadInput(
        f"twin tiny/{short}: {root} has no such folder with a config.json; {known}; "
        "`nbhelpers twins list` names the recipes and `nbhelpers twins train NAME` makes one"
    )
