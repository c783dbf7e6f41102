"""Memory limits that a container or job scheduler puts on this process: control groups, version 1 and 2.

Source: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
"""

from dataclasses import dataclass
from pathlib import Path

# Version 1 says "no limit" with a huge page-rounded number; anything of an exbibyte or more means none.
_NO_LIMIT = 1 << 60


@dataclass(frozen=True)
class CgroupLimit:
    """What a group, or the tightest of several, still allows.

    Attributes:
        limit_bytes: how much the group may use.
        left_bytes: what is left of it; file cache the kernel can drop (`inactive_file`) counts as left.
        version: 1 or 2.
    """

    limit_bytes: int
    left_bytes: int
    version: int


def memory_limit(root: Path = Path("/")) -> CgroupLimit | None:
    """The tightest limit and the least left, over this process's group and all its parents; None without any.

    Args:
        root: the file system's root; another folder in tests.
    """
    found = [limit for folder, version in _groups(root) if (limit := _read(folder, version)) is not None]
    if not found:
        return None
    tightest = min(found, key=lambda limit: limit.limit_bytes)
    return CgroupLimit(tightest.limit_bytes, min(limit.left_bytes for limit in found), tightest.version)


def _groups(root: Path) -> list[tuple[Path, int]]:
    """Every memory group folder this process is in, own group first, with its version."""
    membership = root / "proc/self/cgroup"
    if not membership.exists():  # not Linux
        return []
    folders = []
    for line in membership.read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            folders += [(folder, 2) for folder in _upwards(root / "sys/fs/cgroup", path)]
        elif "memory" in controllers.split(","):
            folders += [(folder, 1) for folder in _upwards(root / "sys/fs/cgroup/memory", path)]
    return folders


def _upwards(mount: Path, path: str) -> list[Path]:
    """The group's folder and its parents up to the mount point.

    Inside a container the path may be the host's and not exist here; the mount point is then the group.
    """
    own = mount / path.lstrip("/")
    inside = [folder for folder in (own, *own.parents) if folder.is_relative_to(mount)]
    return [folder for folder in inside if folder.is_dir()]


def _read(folder: Path, version: int) -> CgroupLimit | None:
    names = (
        ("memory.max", "memory.current")
        if version == 2
        else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    )
    limit, usage = (_number(folder / name) for name in names)
    if limit is None or limit >= _NO_LIMIT:
        return None
    cache = _droppable(folder / "memory.stat", "inactive_file" if version == 2 else "total_inactive_file")
    return CgroupLimit(limit, max(0, limit - max(0, (usage or 0) - cache)), version)


def _number(file: Path) -> int | None:
    """The number in `file`; None where there is no such file or it says `max`."""
    text = file.read_text().strip() if file.is_file() else "max"
    return None if text == "max" else int(text)


def _droppable(stat: Path, name: str) -> int:
    lines = stat.read_text().splitlines() if stat.is_file() else []
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)
