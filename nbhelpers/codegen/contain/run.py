"""Run a program nobody has read, watch it, and say how it ended.

What contains it: `python -I` and an empty environment; limits of address space, processor time, processes,
files and output, and a wall clock; on Linux, where the system lets a user have them, namespaces of its own:
no network, no sight of other processes, every file outside its folder read-only, the home folder hidden;
where we are root, a user who owns nothing. `Outcome.isolation` says which of these there were.

What it does not protect from: defects of the kernel; reading of files that everyone may read (hidden is
only what lies in the home folder); where namespaces are not allowed, writing wherever this user may write,
and the network; a program that is written to fool its checks from inside (it runs in one process with its
tests); taking a share of the machine, within the limits, until the clock ends it.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

import psutil

from nbhelpers.codegen.contain.limits import MIB, Limits

Ended = Literal["exit", "wall", "cpu", "memory", "processes", "output", "disk"]
_JAIL = Path(__file__).with_name("jail.py")
_EVERY_S = 0.05
_MOST_ENTRIES = 20_000
_UIDS = (61_000, 65_534)  # tried in turn; a container may not know the first


@dataclass(frozen=True)
class Isolation:
    """What a contained program was kept from, beside the limits."""

    network: bool = False
    processes: bool = False
    files: bool = False
    user: bool = False
    note: str = ""

    def __str__(self) -> str:
        names = {"network": "no network", "processes": "own processes", "files": "files sealed"}
        names["user"] = "a user of its own"
        had = [text for name, text in names.items() if getattr(self, name)]
        lacked = [text for name, text in names.items() if not getattr(self, name)]
        note = f" ({self.note})" if self.note else ""
        return f"{', '.join(had) or 'limits alone'}" + (f"; not: {', '.join(lacked)}{note}" if lacked else "")


@dataclass(frozen=True)
class Outcome:
    """How a contained program ended.

    Attributes:
        code: exit code as a shell has it: 128 and the signal's number for one that a signal ended.
        ended: `exit` by itself, else the limit that ended it.
        stdout, stderr: its output, cut at the limit.
        seconds: on the clock.
        peak_bytes: highest resident memory of all its processes that was seen.
        isolation: what it was kept from.
    """

    code: int
    ended: Ended
    stdout: str
    stderr: str
    seconds: float
    peak_bytes: int
    isolation: Isolation

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with code 0."""
        return self.ended == "exit" and self.code == 0

    @property
    def reason(self) -> str:
        """One line: how it ended, with the last line of its errors where it failed."""
        if self.ended != "exit":
            return {
                "wall": f"did not end within {self.seconds:.0f} s and was killed",
                "cpu": "used up its processor time and was killed",
                "memory": "took more memory than allowed and was killed",
                "processes": "started more processes than allowed and was killed",
                "output": "wrote more than allowed and was killed",
                "disk": "wrote more files than allowed and was killed",
            }[self.ended]
        lines = [line for line in (self.stderr or self.stdout).splitlines() if line.strip()]
        return (
            "ended well" if self.ok else f"exit code {self.code}" + (f": {lines[-1][:300]}" if lines else "")
        )


class Contained:
    """A program while it runs; a context manager that leaves nothing of it.

    Args:
        argv: program and arguments; the program's path is absolute.
        folder: where it runs, the only place it may write to.
        limits: what it may take.
        writable: further folders it may write to.
        stdin: what it reads.
    """

    def __init__(
        self,
        argv: Sequence[str],
        folder: Path,
        limits: Limits,
        writable: Sequence[Path] = (),
        stdin: bytes = b"",
    ) -> None:
        self.folder, self.limits = folder.resolve(), limits
        places = [self.folder, *(one.resolve() for one in writable)]
        home = _home()
        uid = _own_uid(places, home)
        read_end, write_end = os.pipe()
        spec = {
            "argv": list(argv), "folder": str(self.folder), "uid": uid, "report": write_end,
            "writable": [str(place) for place in places], "home": home,
            "kept": [str(place) for place in _needed()],
            "reachable": _open_to_all(places), "reachable_covered": _open_to_all(places, home),
            "memory": int(limits.memory_mib * MIB), "cpu": limits.cpu_s, "processes": limits.processes,
            "file": int(limits.disk_mib * MIB),
        }  # fmt: skip
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(_JAIL), json.dumps(spec)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder,
            env=_environment(self.folder), start_new_session=True, pass_fds=(write_end,),
        )  # fmt: skip
        os.close(write_end)
        self._out, self._err = _Reader(self._process.stdout, limits), _Reader(self._process.stderr, limits)
        self._isolation = _read_isolation(read_end)
        self._peak, self._checked = 0, 0.0
        self._over: Ended | None = None
        with contextlib.suppress(BrokenPipeError):
            assert self._process.stdin is not None
            self._process.stdin.write(stdin)
            self._process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def over(self) -> Ended | None:
        """The limit it has passed, or None."""
        self._over = self._over or self._now_over()
        return self._over

    def _now_over(self) -> Ended | None:
        if time.monotonic() - self._began > self.limits.wall_s:
            return "wall"
        if self._out.full or self._err.full:
            return "output"
        return self._over_in_sum()

    def _over_in_sum(self) -> Ended | None:
        """What the system counts for one process at a time, added up over all of them."""
        family = _descendants(self._process.pid)
        if len(family) > self.limits.processes + 2:  # root is not held by the system's own limit
            return "processes"
        if time.monotonic() - self._checked < 4 * _EVERY_S:
            return None
        used = _resident(family)
        self._peak = max(self._peak, used)
        if used > self.limits.memory_mib * MIB:
            return "memory"
        full = _size(self.folder) > self.limits.disk_mib * MIB
        self._checked = time.monotonic()  # after the count, which takes long where there is much
        return "disk" if full else None

    def wait(self) -> Outcome:
        """Wait for its end, or bring it about."""
        while self.running and self.over() is None:
            time.sleep(_EVERY_S)
        self.kill()
        code = self._process.returncode
        code = 128 - code if code < 0 else code
        seconds = time.monotonic() - self._began
        ended = self._over or self._ended_by_system(code, seconds)
        return Outcome(code, ended, self._out.text(), self._err.text(), seconds, self._peak, self._isolation)

    def _ended_by_system(self, code: int, seconds: float) -> Ended:
        """Which limit made the system end it; `exit` where none did."""
        if self._out.full or self._err.full:
            return "output"
        late = code == 128 + signal.SIGKILL and seconds >= self.limits.cpu_s
        return "cpu" if late or code == 128 + signal.SIGXCPU else "exit"

    def kill(self) -> None:
        """End it and everything it started. Where it has namespaces, the kernel does; else one by one."""
        if not self._isolation.processes:
            for _ in range(50):  # a program that forks while it is killed is found again
                left = _descendants(self._process.pid)
                for process in left:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
                if not left:
                    break
        self._process.kill()  # the first process of its namespaces dies with this one
        self._process.wait()
        self._out.join()
        self._err.join()


def run_contained(
    argv: Sequence[str], folder: Path, limits: Limits, *, writable: Sequence[Path] = (), stdin: bytes = b""
) -> Outcome:
    """Run a program to its end; see `Contained` for the arguments."""
    with Contained(argv, folder, limits, writable, stdin) as program:
        return program.wait()


def run_code(code: str, limits: Limits | None = None) -> Outcome:
    """Run Python source, in a folder that is gone afterwards."""
    with workplace() as folder:
        return run_contained([sys.executable, "-I", "-c", code], folder, limits or Limits())


@cache
def isolation_here() -> Isolation:
    """What a contained program is kept from on this machine; found out by running one that does nothing."""
    return run_code("", Limits(wall_s=60)).isolation


class _Reader:
    """Reads a pipe up to a limit in a thread; `full` says that there was more."""

    def __init__(self, pipe: "IO[bytes] | None", limits: Limits) -> None:
        assert pipe is not None
        self._pipe, self._most, self.full = pipe, int(limits.output_kib * 1024), False
        self._data = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True, name="nbhelpers-contained-output")
        self._thread.start()

    def _read(self) -> None:
        while chunk := os.read(self._pipe.fileno(), 1 << 16):
            self._data += chunk[: self._most - len(self._data)]
            if len(self._data) >= self._most:
                self.full = True
                break

    def text(self) -> str:
        return self._data.decode("utf-8", "backslashreplace")

    def join(self) -> None:
        self._thread.join(5)
        if not self._thread.is_alive() and not self._pipe.closed:
            self._pipe.close()


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of ours: no tokens, no paths."""
    own = {"HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8", "PATH": os.defpath}
    own |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    return own | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "NO_COLOR": "1"}


def _own_uid(folders: Sequence[Path], home: str) -> int | None:
    """A user for the program where we are root; its folders are given to it."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not _open_to_all(folders, home):
        return None
    uid = _known_uid()
    if uid is not None:
        for folder in folders:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, uid, uid, follow_symlinks=False)
    return uid


@cache
def _known_uid() -> int | None:
    for uid in _UIDS:
        probe = [sys.executable, "-I", "-c", f"import os; os.setresuid({uid}, {uid}, {uid})"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return uid
    return None


def _needed() -> list[Path]:
    """Folders without which Python and the probe do not run."""
    return [Path(sys.prefix), Path(sys.base_prefix).resolve(), _JAIL.parents[1]]


def _open_to_all(folders: Sequence[Path], covered: str = "") -> bool:
    """Whether another user can come to Python and these folders; `covered`: an open folder is put over it."""
    needed = _needed()
    places = {*needed, *(place for path in (*needed, *folders) for place in path.parents)}
    home = Path(covered or "/nowhere")
    seen = {place for place in places if place in needed or not place.is_relative_to(home)}
    return all(place.stat().st_mode & 0o001 for place in seen)


def _home() -> str:
    """The home folder, which holds keys and tokens; empty where there is none of one's own."""
    home = Path.home().resolve()
    return "" if home == Path("/") or not home.is_dir() else str(home)


def _read_isolation(read_end: int) -> Isolation:
    """What the jail wrote before it started the program; empty where it could not even begin."""
    with os.fdopen(read_end, "rb") as pipe:
        data = pipe.read()
    if not data:
        return Isolation(note="the jail did not start")
    found: dict[str, Any] = json.loads(data)
    return Isolation(**{name: found[name] for name in ("network", "processes", "files", "user", "note")})


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return [
            one
            for one in psutil.Process(pid).children(recursive=True)
            if one.status() != psutil.STATUS_ZOMBIE
        ]
    except psutil.NoSuchProcess:
        return []


def _resident(family: Sequence[psutil.Process]) -> int:
    total = 0
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


def _size(folder: Path) -> int:
    """Bytes below a folder; more entries than a program has use for count as endless."""
    total = entries = 0
    for place, _, files in os.walk(folder):
        entries += 1 + len(files)
        if entries > _MOST_ENTRIES:
            return 1 << 62
        for name in files:
            with contextlib.suppress(OSError):
                total += Path(place, name).lstat().st_size
    return total


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A folder for one contained program; gone afterwards, whatever the program did to it."""
    folder = Path(tempfile.mkdtemp(prefix="nbhelpers-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
