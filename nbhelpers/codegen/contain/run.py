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
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from nbhelpers.codegen.contain.identity import (
    JAIL,
    environment,
    home_folder,
    needed_folders,
    open_to_all,
    own_uid,
)
from nbhelpers.codegen.contain.limits import MIB, Limits
from nbhelpers.codegen.contain.outcome import Ended, Isolation, Outcome, read_isolation
from nbhelpers.codegen.contain.watching import Reader, descendants, process_count, resident, size

_EVERY_S = 0.05


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
        home = home_folder()
        uid = own_uid(places, home)
        read_end, write_end = os.pipe()
        spec = {
            "argv": list(argv), "folder": str(self.folder), "uid": uid, "report": write_end,
            "writable": [str(place) for place in places], "home": home,
            "kept": [str(place) for place in needed_folders()],
            "reachable": open_to_all(places), "reachable_covered": open_to_all(places, home),
            "memory": int(limits.memory_mib * MIB), "cpu": limits.cpu_s, "processes": limits.processes,
            "file": int(limits.disk_mib * MIB),
        }  # fmt: skip
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(JAIL), json.dumps(spec)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder,
            env=environment(self.folder), start_new_session=True, pass_fds=(write_end,),
        )  # fmt: skip
        os.close(write_end)
        self._out, self._err = Reader(self._process.stdout, limits), Reader(self._process.stderr, limits)
        self._isolation = read_isolation(read_end)
        self._peak, self._checked = 0, 0.0
        self._over: Ended | None = None
        self._others = process_count()
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
        crowded = process_count() - self._others > self.limits.processes
        if not crowded and time.monotonic() - self._checked < 4 * _EVERY_S:
            return None
        family = descendants(self._process.pid)
        if len(family) > self.limits.processes + 2:  # root is not held by the system's own limit
            return "processes"
        used = resident(family)
        self._peak = max(self._peak, used)
        if used > self.limits.memory_mib * MIB:
            return "memory"
        full = size(self.folder) > self.limits.disk_mib * MIB
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
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)  # at one stroke: nothing forks its way out
            for _ in range(50):  # a program that forks while it is killed is found again
                left = descendants(self._process.pid)
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


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A folder for one contained program; gone afterwards, whatever the program did to it."""
    folder = Path(tempfile.mkdtemp(prefix="nbhelpers-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
