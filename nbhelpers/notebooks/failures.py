"""Why a notebook stopped: the class of failure, the cell, one line of cause and what to do about it."""

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HINTS: dict[str, str] = {
    "disk": "free some space, or put the runs elsewhere with --runs DIR",
    "memory": "lower the batch or the image size with --set, or take a smaller profile",
    "crash": "the kernel died without an error; run the notebook in Jupyter to see where",
    "dependency": "install what is missing, then check with `nbhelpers doctor`",
    "network": "nothing here needs the network: point the setting at a local file",
    "timeout": "call again to resume; give more time with --max-minutes",
    "assertion": "the work was done, but an expectation was not met; the report shows which",
    "bad input": "correct what the message names, then call again",
    "interrupted": "call again to resume",
    "other": "open the executed notebook at this cell; --debug shows the whole trace",
}
"""Classes of failure, each with the first thing to try."""

_NAMES: dict[str, tuple[str, ...]] = {
    "bad input": ("BadInput",),
    "assertion": ("AssertionError", "CheckFailed"),
    "memory": ("MemoryError", "_ArrayMemoryError", "OutOfMemoryError"),
    "dependency": ("ImportError", "ModuleNotFoundError", "PackageNotFoundError", "Unavailable"),
    "timeout": ("TimeoutError", "TimeoutExpired", "CellTimeoutError"),
    "network": (
        *(
            "ConnectionError",
            "ConnectionRefusedError",
            "ConnectionResetError",
            "ConnectError",
            "ConnectTimeout",
        ),
        *(
            "ReadTimeout",
            "ProxyError",
            "SSLError",
            "URLError",
            "gaierror",
            "MaxRetryError",
            "NewConnectionError",
        ),
        *("LocalEntryNotFoundError", "OfflineModeIsEnabled", "HfHubHTTPError"),
    ),
    "interrupted": ("KeyboardInterrupt",),
}

# Libraries wrap errors in RuntimeError and the like; what they say stays recognisable. Order matters: a full
# disk also shows as "cannot allocate" in some writers, and out of memory as "connection reset" in loaders.
_PHRASES: dict[str, tuple[str, ...]] = {
    "disk": (
        *("no space left on device", "disk quota exceeded", r"\[errno (28|122)\]", "file too large"),
        *("database or disk is full", "not enough (free )?disk space", r"inline_container.*write failed"),
    ),
    "memory": (
        *(
            "out of memory",
            "can(no|')t allocate memory",
            r"\[errno 12\]",
            "unable to allocate",
            "alloc_failed",
        ),
        *("failed to allocate memory", "bad_alloc", "bad allocation", "dataloader worker .* killed"),
    ),
    "dependency": (
        *("no module named", "cannot import name", "undefined symbol", "torchvision::nms", "dll load failed"),
        *(r"glibc(xx)?_[\d.]+'? not found", "cannot open shared object file", "requires .* to be installed"),
    ),
    "network": (
        *("max retries exceeded", "name resolution", "name or service not known", "network is unreachable"),
        *(
            "connection (refused|reset|aborted)",
            "getaddrinfo failed",
            "offline mode is enabled",
            "couldn't connect",
        ),
    ),
    "timeout": ("timed out", "timeout"),
}
_WORDS = {kind: re.compile("|".join(phrases), re.IGNORECASE) for kind, phrases in _PHRASES.items()}
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SUMMARY = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Failed|Unavailable|BadInput|Interrupt|Iteration)\b")


@dataclass(frozen=True)
class Failure:
    """What stopped a phase.

    Attributes:
        kind: a key of `HINTS`.
        cause: one line, as the error said it.
        cell: the number in `In [n]` of the executed notebook, None when it failed outside a cell.
        source: first line of that cell.
    """

    kind: str
    cause: str
    cell: int | None = None
    source: str = ""

    @property
    def hint(self) -> str:
        """The first thing to try."""
        return HINTS[self.kind]

    def line(self) -> str:
        """One line for people: class, place, cause."""
        place = f" in cell [{self.cell}]" if self.cell is not None else ""
        return f"{self.kind} failure{place}: {self.cause}"


def classify(name: str, message: str, trace: str = "") -> str:
    """The class of an error from its type's name, its message and its traceback.

    Words of a full disk or of memory come first, then the type's own name, then what the errors that led to
    this one said (libraries wrap an `OSError` in a `RuntimeError` and lose its number).

    Args:
        name: name of the exception's type, with or without its module.
        message: text of the exception.
        trace: traceback as text; only its error lines are read, never the source lines.
    """
    name = name.rpartition(".")[2]
    said = f"{name}: {message}"
    for kind in ("disk", "memory"):
        if _WORDS[kind].search(said) and name not in _NAMES["bad input"]:
            return kind
    for kind, names in _NAMES.items():
        if name in names:
            return kind
    texts = [said, *_summaries(trace)]
    return next((kind for text in texts for kind, words in _WORDS.items() if words.search(text)), "other")


def _summaries(trace: str) -> Iterator[str]:
    """The lines of a traceback that name an error, last first."""
    lines = _ANSI.sub("", trace).splitlines()
    return (line for line in reversed(lines) if _SUMMARY.match(line))


def one_line(name: str, message: str, limit: int = 300) -> str:
    """`Type: first line of the message`, without colours, cut at `limit` characters."""
    first = next((line.strip() for line in _ANSI.sub("", message).splitlines() if line.strip()), "")
    text = f"{name.rpartition('.')[2]}: {first}" if first else name
    return text if len(text) <= limit else text[: limit - 1] + "…"


def dead_kernel(exit_code: int | None, oom_kills: int) -> tuple[str, str]:
    """Class and cause of a kernel that died without an error.

    Args:
        exit_code: of the kernel's process; negative when a signal ended it (POSIX), None when unknown.
        oom_kills: how many processes the kernel's cgroup lost to the out-of-memory killer meanwhile.
    """
    if oom_kills > 0:
        return "memory", "the system's out-of-memory killer ended the kernel"
    if exit_code is None:
        return "crash", "the kernel died and left no exit code"
    if exit_code >= 0:
        return "crash", f"the kernel ended itself with exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    if name == "SIGKILL":
        return "crash", "the kernel was killed (SIGKILL); often that is the system running out of memory"
    return "crash", f"the kernel died of {name}"


def oom_kill_count() -> int:
    """How often the out-of-memory killer struck in this process's cgroup so far; 0 where nothing tells."""
    for path in (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control")):
        if path.is_file():
            pairs = (line.split() for line in path.read_text().splitlines())
            return next((int(pair[1]) for pair in pairs if pair[:1] == ["oom_kill"]), 0)
    return 0
