"""How a contained program ended, and what it was kept from."""

import json
import os
from dataclasses import dataclass
from typing import Any, Literal

Ended = Literal["exit", "wall", "cpu", "memory", "processes", "output", "disk"]


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


def read_isolation(read_end: int) -> Isolation:
    """What the jail wrote before it started the program; empty where it could not even begin."""
    with os.fdopen(read_end, "rb") as pipe:
        data = pipe.read()
    if not data:
        return Isolation(note="the jail did not start")
    found: dict[str, Any] = json.loads(data)
    return Isolation(**{name: found[name] for name in ("network", "processes", "files", "user", "note")})
