"""The ladder of checks that generated code climbs, from reading it to asking it for its endpoints.

parses, compiles: every file is Python. imports: the entry module can be
imported, and the framework that was asked for is used. lint: no finding of
pyflakes and bugbear. types: no error of mypy. tests: its own tests pass. runs: a web service is started and
asked for every endpoint of the request over HTTP; any other program ends with exit code 0.

Everything runs in the contained child of `nbhelpers.codegen.contain`, whose docstring lists what that does
not protect from. Each step gets the program's files anew, so that nothing one step did is seen by the next.
A rung that fails hides those above: they are `skipped`, except lint and types, which need no running
program.

Not covered: that the program does what was asked beyond its endpoints; tests that were written to pass
(they are the program's own); time and memory under load.
"""

import json
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from filelock import FileLock

from nbhelpers.artifacts import Check
from nbhelpers.codegen.ask import Answered, Client, ask_all
from nbhelpers.codegen.contain import Contained, Isolation, Limits, Outcome, isolation_here, run_contained
from nbhelpers.codegen.contain.run import workplace
from nbhelpers.codegen.project import Project
from nbhelpers.codegen.request import CodeRequest
from nbhelpers.codegen.templates import ruff
from nbhelpers.runtime.tables import text_table

Verdict = Literal["passed", "failed", "absent", "skipped"]
STEPS = ("parses", "compiles", "imports", "lint", "types", "tests", "runs")
QUICK = ("parses", "compiles", "lint")  # what needs no foreign code to run
_PROBE = str(Path(__file__).with_name("probe.py"))
_PACKAGES = {"fastapi": "fastapi", "flask": "flask", "django": "django", "crud": "sqlalchemy"}
_RULES = "E9,F,B"
_ALLOWED = "B008,B904"  # FastAPI's defaults are calls; which error an error came from is style


@dataclass(frozen=True)
class Step:
    """One rung of the ladder.

    Attributes:
        name: of `STEPS`.
        verdict: `absent` where there is nothing to check (no tests), `skipped` where a lower rung failed.
        reason: one line for people.
        seconds: on the clock.
        peak_bytes: highest memory of the program that was seen.
    """

    name: str
    verdict: Verdict
    reason: str
    seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against it."""
        return self.verdict in {"passed", "absent"}


@dataclass(frozen=True)
class Ladder:
    """The verdict on one program."""

    steps: tuple[Step, ...]
    isolation: Isolation
    answers: tuple[Answered, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every rung that was asked for holds."""
        return all(step.ok for step in self.steps)

    @property
    def reason(self) -> str:
        """The first rung that does not hold, or that all do."""
        failed = next((step for step in self.steps if step.verdict == "failed"), None)
        return "all checks passed" if failed is None else f"{failed.name}: {failed.reason}"

    @property
    def seconds(self) -> float:
        """Of all steps."""
        return sum(step.seconds for step in self.steps)

    def verdict(self, name: str) -> Verdict:
        """The verdict of one rung; `skipped` where it was not asked for."""
        return next((step.verdict for step in self.steps if step.name == name), "skipped")

    def table(self) -> str:
        """The rungs as text."""
        rows = [(step.name, step.verdict, step.reason, f"{step.seconds:.1f} s") for step in self.steps]
        return text_table(rows, ("check", "verdict", "what was found", "time"))

    def checks(self) -> list[Check]:
        """The rungs as the house records expectations."""
        return [Check(step.name, step.verdict, "passed, or nothing to check", step.ok) for step in self.steps]


def check_project(
    project: Project,
    request: CodeRequest | None = None,
    limits: Limits | None = None,
    steps: Sequence[str] = STEPS,
    mypy_cache: Path | None = None,
) -> Ladder:
    """Climb the ladder.

    Args:
        project: the program.
        request: whose endpoints it must answer; None asks only whether it runs.
        limits: of every contained child; None is the defaults.
        steps: rungs to climb, of `STEPS`, in their order; `QUICK` runs no foreign code.
        mypy_cache: folder in which mypy keeps what it read of libraries; None is one in the temporary folder.
    """
    run = _Run(project, request, limits or Limits(), mypy_cache or _mypy_cache())
    done: list[Step] = []
    for name in (name for name in STEPS if name in steps):
        below = next((step for step in done if step.verdict == "failed"), None)
        if below is not None and (name not in {"lint", "types"} or below.name in {"parses", "compiles"}):
            done.append(Step(name, "skipped", f"{below.name} failed"))
            continue
        began = time.perf_counter()
        step = run.step(name)
        done.append(replace(step, seconds=time.perf_counter() - began))
    return Ladder(tuple(done), isolation_here(), tuple(run.answers))


class _Run:
    """The steps of one program."""

    def __init__(
        self, project: Project, request: CodeRequest | None, limits: Limits, mypy_cache: Path
    ) -> None:
        self.project, self.request, self.limits, self.mypy_cache = project, request, limits, mypy_cache
        self.answers: list[Answered] = []
        self._read: dict[str, dict[str, str | None]] | None = None
        self._imported: set[str] | None = None

    def step(self, name: str) -> Step:
        """Climb one rung."""
        work: dict[str, Callable[[], Step]] = {
            "parses": lambda: self._parsed("parses"), "compiles": lambda: self._parsed("compiles"),
            "imports": self._imports, "lint": self._lint, "types": self._types, "tests": self._tests,
            "runs": self._runs,
        }  # fmt: skip
        return work[name]()

    def _probe(self, *arguments: str, stdin: bytes = b"") -> Outcome:
        return self._contained([sys.executable, "-I", _PROBE, *arguments], stdin=stdin)

    def _contained(self, argv: Sequence[str], writable: Sequence[Path] = (), stdin: bytes = b"") -> Outcome:
        with workplace() as folder:
            self.project.write(folder)
            return run_contained(argv, folder, self.limits, writable=writable, stdin=stdin)

    def _parsed(self, name: str) -> Step:
        if self._read is None:
            found = self._probe("parse", *sorted(self.project.sources))
            if not found.ok:
                return _step(name, False, f"reading it {found.reason}", found)
            read = json.loads(found.stdout)
            self._read, self._imported = read["files"], set(read["imports"])
        wrong = [item[name] for item in self._read.values() if item[name]]
        return _step(name, not wrong, "; ".join(map(str, wrong[:2])) or f"{len(self._read)} files")

    def _imports(self) -> Step:
        word = secrets.token_hex(8)
        found = self._probe("import", self.project.entry, stdin=f"{word}\n".encode())
        reached = found.stdout.splitlines()[-1:] == [word]
        missing = self._missing()
        if reached and missing:
            return _step("imports", False, f"it was to use {missing}, and does not import it", found)
        reason = found.reason if not found.ok or reached else "it ended the interpreter while it was imported"
        said = "" if found.ok and reached else f": {reason}"
        return _step("imports", found.ok and reached, f"module {self.project.entry}{said}", found)

    def _missing(self) -> str:
        """The package that the request wants and no file imports; empty where all is well or not known."""
        if self.request is None or self._imported is None:
            return ""
        wanted = _PACKAGES.get(self.request.framework, "")
        return "" if not wanted or wanted in self._imported else wanted

    def _lint(self) -> Step:
        command = [ruff(), "check", "--isolated", "--no-cache", "--select", _RULES, "--ignore", _ALLOWED]
        found = self._contained([*command, "--output-format", "concise", "."])
        lines = [line for line in found.stdout.splitlines() if ": " in line and not line.startswith("Found")]
        return _step("lint", found.ok, "; ".join(lines[:2]) or _said(found, "no finding"), found)

    def _types(self) -> Step:
        self.mypy_cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [sys.executable, "-I", "-m", "mypy", "--config-file=", "--cache-dir", str(self.mypy_cache)]
        # An annotation that is missing is no contradiction; `quality` counts those.
        options = [
            "--disable-error-code=var-annotated",
            "--ignore-missing-imports",
            "--explicit-package-bases",
            "--no-error-summary",
            ".",
        ]
        # One at a time: the cache is given to the child's own user, and mypy's caches take one writer.
        with FileLock(self.mypy_cache.with_name(f"{self.mypy_cache.name}.lock")):
            found = self._contained([*command, *options], writable=[self.mypy_cache])
        lines = [line for line in found.stdout.splitlines() if ": error:" in line]
        return _step("types", found.ok, "; ".join(lines[:2]) or _said(found, "no error"), found)

    def _tests(self) -> Step:
        names = [name.rpartition("/")[2] for name in self.project.sources]
        if not any(name.startswith("test") or name.endswith("_test.py") for name in names):
            return Step("tests", "absent", "it brought none")
        if "manage.py" in self.project.files:
            found = self._probe("run", "manage.py", "test")
        else:
            found = self._probe(
                "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", ".", "."
            )
        lines = (found.stdout + found.stderr).splitlines()
        counted = [
            line for line in lines if re.search(r"^Ran \d+|\d+ (?:passed|failed|error)|^FAILED|^E ", line)
        ]
        said = "; ".join(counted[-2:]) if found.ended == "exit" and counted else found.reason
        return _step("tests", found.ok, said, found)

    def _runs(self) -> Step:
        web = self.request is None or self.request.framework != "generic"
        if web and "app = " in self.project.files.get(self.project.entry.replace(".", "/") + ".py", ""):
            return self._serves()
        if web and self.request is not None:
            return Step("runs", "failed", f"module {self.project.entry} has no `app` to serve")
        found = self._probe("run", self.project.entry.replace(".", "/") + ".py")
        return _step("runs", found.ok, found.reason, found)

    def _serves(self) -> Step:
        with workplace() as folder:
            self.project.write(folder)
            argv = [sys.executable, "-I", _PROBE, "serve", self.project.entry, "app.sock"]
            with Contained(argv, folder, self.limits) as program:
                socket = folder / "app.sock"
                while program.running and program.over() is None and not socket.exists():
                    time.sleep(0.05)
                if socket.exists():
                    client = Client(socket)
                    self.answers = ask_all(client, self.request.routes if self.request else ())
                    client.close()
                program.kill()
                found = program.wait()
        if not self.answers:
            return _step("runs", False, f"it did not start: {found.reason}", found)
        wrong = [one for one in self.answers if not one.ok]
        said = "; ".join(f"{one.what}: {one.found}" for one in wrong[:2])
        return _step("runs", not wrong, said or f"{len(self.answers)} answers as asked for", found)


def _said(found: Outcome, well: str) -> str:
    return well if found.ok else found.reason


def _step(name: str, ok: bool, reason: str, found: Outcome | None = None) -> Step:
    peak = 0 if found is None else found.peak_bytes
    return Step(name, "passed" if ok else "failed", " ".join(reason.split())[:300], 0.0, peak)


def _mypy_cache() -> Path:
    """One for all programs of this user: frameworks are read once, which takes ten seconds."""
    import getpass

    import mypy.version

    name = f"nbhelpers-mypy-{getpass.getuser()}-{mypy.version.__version__}-{sys.version_info[1]}"
    return Path(tempfile.gettempdir()) / name
