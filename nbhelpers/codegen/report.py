"""`ai_infrastructure_validation.json`: what this machine could run, what was tried, what it took, and why."""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from platform import platform, python_version
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from nbhelpers.artifacts import read_json, write_json
from nbhelpers.codegen.contain import isolation_here
from nbhelpers.codegen.rungs import Attempt, Generation
from nbhelpers.codegen.writers import ORDERS
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.codegen.bench import Measured
    from nbhelpers.settings import Settings

NAME = "ai_infrastructure_validation.json"
SCHEMA: Literal["nbhelpers.ai_infrastructure_validation"] = "nbhelpers.ai_infrastructure_validation"
VERSION: Literal[1] = 1
_PACKAGES = (
    "nbhelpers",
    "torch",
    "transformers",
    "huggingface-hub",
    "fastapi",
    "flask",
    "django",
    "sqlalchemy",
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Machine(_Part):
    """Where it ran."""

    system: str
    python: str
    device: str
    device_reason: str
    ram_total_bytes: int
    ram_available_bytes: int
    gpus: list[str]
    isolation: str = Field(description="what foreign code was kept from here")
    versions: dict[str, str]


class Checked(_Part):
    """One rung of the ladder of checks."""

    name: str
    verdict: Literal["passed", "failed", "absent", "skipped"]
    reason: str
    seconds: float


class Tried(_Part):
    """One try of one strategy."""

    strategy: Literal["local", "hosted", "template"]
    outcome: Literal["passed", "failed", "left"]
    reason: str
    kind: str | None
    name: str | None
    revision: str | None
    precision: str | None
    tokens: int
    tokens_per_s: float | None
    write_s: float
    check_s: float
    peak_bytes: int
    lines: int
    checks: list[Checked]


class Asked(_Part):
    """One request and what became of it."""

    framework: str
    entities: list[str]
    operations: list[str]
    options: list[str]
    passed_by: Literal["local", "hosted", "template"] | None
    seconds: float
    attempts: list[Tried]


class StrategyMeasured(_Part):
    """One strategy over the requests of the benchmark."""

    strategy: Literal["local", "hosted", "template"]
    requests: int
    passed: float | None
    passed_low: float | None
    passed_high: float | None
    left: str = Field(description="why it wrote nothing; empty where it wrote")
    median_s: float | None
    slowest_s: float | None
    tokens_per_s: float | None
    peak_bytes: int


class Report(_Part):
    """The whole file."""

    schema_name: Literal["nbhelpers.ai_infrastructure_validation"] = Field(alias="schema")
    version: Literal[1]
    created: str = Field(description="ISO 8601, UTC")
    machine: Machine
    memory_limit_gib: float
    min_free_gib: float
    order: list[str]
    requests: list[Asked]
    benchmark: list[StrategyMeasured]


def write_report(
    path: Path, settings: "Settings", generations: Sequence[Generation], measured: "Sequence[Measured]" = ()
) -> Path:
    """Write the report; `path` may be a folder, in which it gets its usual name."""
    report = Report(
        schema=SCHEMA,
        version=VERSION,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=_machine(),
        memory_limit_gib=settings.memory.limit_gib,
        min_free_gib=settings.codegen.min_free_gib,
        order=list(ORDERS[settings.codegen.order]),
        requests=[_asked(one) for one in generations],
        benchmark=[_measured(one) for one in measured],
    )
    file = path / NAME if path.is_dir() or not path.suffix else path
    return write_json(file, report.model_dump(by_alias=True))


def read_report(path: Path) -> Report:
    """Read a report back.

    Raises:
        BadInput: it is none, or of another version.
    """
    from pydantic import ValidationError

    found: Any = read_json(path)
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise BadInput(f"{path}: is no report of generated code (schema {SCHEMA})")
    if found.get("version") != VERSION:
        raise BadInput(f"{path}: is of version {found.get('version')!r}; this release reads {VERSION}")
    try:
        return Report.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _machine() -> Machine:
    from nbhelpers.runtime import choose_device, gpu_status, ram

    device, memory = choose_device(), ram()
    return Machine(
        system=platform(), python=python_version(), device=device.value, device_reason=device.reason,
        ram_total_bytes=memory.total_bytes, ram_available_bytes=memory.available_bytes,
        gpus=[str(board) for board in gpu_status()[0]], isolation=str(isolation_here()),
        versions={name: metadata.version(name) for name in _PACKAGES},
    )  # fmt: skip


def _asked(found: Generation) -> Asked:
    request = found.request
    return Asked(
        framework=request.framework, entities=[one.name for one in request.entities],
        operations=list(request.operations), options=list(request.options),
        passed_by=found.chosen.rung if found.chosen else None, seconds=round(found.seconds, 3),
        attempts=[_tried(one) for one in found.attempts],
    )  # fmt: skip


def _tried(one: Attempt) -> Tried:
    steps = one.ladder.steps if one.ladder else ()
    who = one.identity
    rate = one.tokens / one.write_s if one.tokens and one.write_s else None
    return Tried(
        strategy=one.rung, outcome=one.outcome, reason=one.reason, kind=one.kind,  # type: ignore[arg-type]
        name=who.name if who else None, revision=who.revision if who else None,
        precision=who.precision if who else None, tokens=one.tokens, tokens_per_s=rate,
        write_s=round(one.write_s, 4), check_s=round(one.check_s, 3), peak_bytes=one.peak_bytes,
        lines=one.project.lines if one.project else 0,
        checks=[
            Checked(name=s.name, verdict=s.verdict, reason=s.reason, seconds=round(s.seconds, 3))
            for s in steps
        ],
    )  # fmt: skip


def _measured(one: "Measured") -> StrategyMeasured:
    from statistics import median

    wrote, passed = one.write_s, one.passed
    return StrategyMeasured(
        strategy=one.rung, requests=len(one.attempts), left=one.left,
        passed=None if one.left else float(passed.value or 0), passed_low=passed.low, passed_high=passed.high,
        median_s=median(wrote) if wrote else None, slowest_s=max(wrote, default=None),
        tokens_per_s=one.tokens_per_s, peak_bytes=one.peak_bytes,
    )  # fmt: skip
