"""Who a contained program is and where: its environment, its user, what it can come to."""

import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

JAIL = Path(__file__).with_name("jail.py")
_UIDS = range(61_000, 65_000)  # of nobody; the system counts processes by user, so each child has its own
_NOBODY = 65_534


def environment(folder: Path) -> dict[str, str]:
    """Nothing of ours: no tokens, no paths."""
    own = {"HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8", "PATH": os.defpath}
    own |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    return own | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "NO_COLOR": "1"}


def own_uid(folders: Sequence[Path], home: str) -> int | None:
    """A user for the program where we are root; its folders are given to it."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not open_to_all(folders, home):
        return None
    uid = _known_uid()
    if uid is not None:
        for folder in folders:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, uid, uid, follow_symlinks=False)
    return uid


def _known_uid() -> int | None:
    """A user of its own where the container knows such numbers, else nobody."""
    return (
        _UIDS[secrets.randbelow(len(_UIDS))]
        if _is_known(_UIDS[-1])
        else _NOBODY
        if _is_known(_NOBODY)
        else None
    )


@cache
def _is_known(uid: int) -> bool:
    probe = [sys.executable, "-I", "-c", f"import os; os.setresuid({uid}, {uid}, {uid})"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def needed_folders() -> list[Path]:
    """Folders without which Python and the probe do not run."""
    return [Path(sys.prefix), Path(sys.base_prefix).resolve(), JAIL.parents[1]]


def open_to_all(folders: Sequence[Path], covered: str = "") -> bool:
    """Whether another user can come to Python and these folders; `covered`: an open folder is put over it."""
    needed = needed_folders()
    places = {*needed, *(place for path in (*needed, *folders) for place in path.parents)}
    home = Path(covered or "/nowhere")
    seen = {place for place in places if place in needed or not place.is_relative_to(home)}
    return all(place.stat().st_mode & 0o001 for place in seen)


def home_folder() -> str:
    """The home folder, which holds keys and tokens; empty where there is none of one's own."""
    home = Path.home().resolve()
    return "" if home == Path("/") or not home.is_dir() else str(home)
