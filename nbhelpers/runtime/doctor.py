"""Everything about this machine that decides whether the notebooks run, as data and as a table."""

import platform
from dataclasses import dataclass
from typing import Any, Literal

from nbhelpers.artifacts import plain
from nbhelpers.runtime.choice import Choice
from nbhelpers.runtime.hardware import GIB, Gpu, Ram, gpu_status, ram
from nbhelpers.runtime.place import Disk, Place, disk, where
from nbhelpers.runtime.precision import choose_device, choose_dtype
from nbhelpers.runtime.profile import choose_profile
from nbhelpers.runtime.tables import size_text, text_table
from nbhelpers.runtime.versions import VersionCheck, check_versions

Mark = Literal["[OK]", "[FAIL]"]
# Floors for the `cpu` profile, with room to spare; below them a phase may still run, but may also be killed.
_NEEDS_RAM, _NEEDS_DISK = 4 * GIB, 2 * GIB


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    mark: Mark
    item: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Doctor:
    """The findings. `gpu_note` says what was found, or why there is no GPU."""

    place: Place
    system: str
    gpus: list[Gpu]
    gpu_note: str
    ram: Ram
    scratch: Disk
    results: Disk
    device: Choice
    dtype: Choice
    profile: Choice
    versions: list[VersionCheck]

    @property
    def ok(self) -> bool:
        """Whether no line failed. A machine without a GPU is fine."""
        return all(row.mark == "[OK]" for row in self.rows())

    def rows(self) -> list[Row]:
        """The table: machine first, then one line per library."""
        return [*self._machine(), *(_version_row(check) for check in self.versions)]

    def table(self) -> str:
        """The table as text."""
        return text_table([(row.mark, row.item, row.value, row.note) for row in self.rows()])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {**plain(self), "ok": self.ok, "rows": plain(self.rows())}

    def _machine(self) -> list[Row]:
        gpus = [Row("[OK]", f"gpu {gpu.index}", str(gpu)) for gpu in self.gpus]
        memory = f"{size_text(self.ram.total_bytes)}, {size_text(self.ram.available_bytes)} available"
        return [
            Row("[OK]", "where", self.place.kind, self.place.reason),
            Row("[OK]", "system", self.system),
            *(gpus or [Row("[OK]", "gpu", "none", self.gpu_note)]),
            Row(_mark(self.ram.available_bytes >= _NEEDS_RAM), "memory", memory, self.ram.reason),
            _disk_row("scratch", self.scratch),
            _disk_row("results", self.results),
            Row("[OK]", "device", self.device.value, self.device.reason),
            Row("[OK]", "dtype", self.dtype.value, self.dtype.reason),
            Row("[OK]", "profile", self.profile.value, self.profile.reason),
        ]


def doctor() -> Doctor:
    """Look at the machine and the installed libraries; imports torch only where there is a GPU."""
    place = where()
    boards, note = gpu_status()
    device = choose_device()
    return Doctor(
        place=place,
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        gpus=boards,
        gpu_note=note,
        ram=ram(),
        scratch=disk(place.scratch),
        results=disk(place.results),
        device=device,
        dtype=choose_dtype(device.value),
        profile=choose_profile((boards, note)),
        versions=check_versions(),
    )


def _mark(ok: bool) -> Mark:
    return "[OK]" if ok else "[FAIL]"


def _disk_row(item: str, room: Disk) -> Row:
    ok = room.free_bytes >= _NEEDS_DISK
    note = str(room.path) if ok else f"{room.path}: less than {size_text(_NEEDS_DISK)} free"
    return Row(_mark(ok), item, f"{size_text(room.free_bytes)} free", note)


def _version_row(check: VersionCheck) -> Row:
    value = f"{check.installed or 'missing'}" + (f" ({check.wanted})" if check.wanted else "")
    return Row(_mark(check.ok), check.package, value, check.note)
