"""OpenPack's tables: every row, gap and Null accounted for."""

import csv
from datetime import datetime

import pytest

from nbhelpers.data.operations import OPERATIONS
from nbhelpers.data.videos import load_openpack
from nbhelpers.errors import BadInput

HEAD = "uuid,user,session,box,id,operation,start,end,actions"
DAY = "2022-03-29 14:25:"


def rows(*entries):
    lines = [f"u{k},U1,S1,1,{entry},a" for k, entry in enumerate(entries)]
    return "\n".join([HEAD, *lines]) + "\n"


def stamped(number, name, start, end):
    return f"{number},{name},{DAY}{start:06.3f}+09:00,{DAY}{end:06.3f}+09:00"


GOOD = (
    stamped(100, "Picking", 10, 12.5),
    stamped(8100, "Null", 12.5, 14),
    stamped(300, "Assemble Box", 15, 20),
)


@pytest.fixture
def table(tmp_path):
    def write(text, name="t.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_all_193_operations_of_the_real_session_are_accounted_for(shared_data):
    folder = shared_data / "openpack"
    made = load_openpack(folder)
    assert made.account == {
        "rows": 193, "operations": 193, "null": 0, "dropped": 0, "gaps": 5, "gap_s": 14.598
    }  # fmt: skip
    (session,) = made.videos
    assert (session.source, session.subject, session.path) == ("U0209/S0500", "U0209", None)
    assert made.operations == tuple(one.name for one in OPERATIONS) and not made.warnings
    with (folder / "U0209_S0500_operations.csv").open() as file:
        real = list(csv.DictReader(file))
    first = datetime.fromisoformat(real[0]["start"])
    for row, one in zip(real, session.segments, strict=True):
        assert (one.operation, one.operation_id) == (row["operation"], int(row["id"]))
        seconds = [(datetime.fromisoformat(row[key]) - first).total_seconds() for key in ("start", "end")]
        assert [one.start_s, one.end_s] == pytest.approx(seconds, abs=1e-6)
    durations = [one.duration_s for one in session.segments]
    assert min(durations) == pytest.approx(1.591) and max(durations) == pytest.approx(25.735)


def test_seconds_labelled_and_gaps_sum_to_the_session(shared_data):
    made = load_openpack(shared_data / "openpack" / "U0209_S0500_operations.csv")
    labelled = sum(one.duration_s for one in made.segments)
    assert labelled + made.account["gap_s"] == pytest.approx(made.videos[0].duration_s, abs=0.01)


def test_the_usual_follower_of_the_real_session_is_nearly_always_right(shared_data):
    counts = load_openpack(shared_data / "openpack").transitions()
    best = {}
    for (now, _), times in counts.items():
        best[now] = max(best.get(now, 0), times)
    assert sum(best.values()) / sum(counts.values()) > 0.94


def test_null_and_gaps(table):
    made = load_openpack(table(rows(*GOOD)))
    names = [(one.operation, one.start_s, one.end_s) for one in made.videos[0].segments]
    assert names == [("Picking", 0, 2.5), ("Null", 2.5, 4), ("Assemble Box", 5, 10)]
    assert made.account == {"rows": 3, "operations": 2, "null": 1, "dropped": 0, "gaps": 1, "gap_s": 1.0}
    assert "Null" not in made.operations and made.transitions() == {("Picking", "Assemble Box"): 1}


def test_order_and_several_sessions(table, tmp_path):
    made = load_openpack(table(rows(*GOOD[::-1])))
    assert made.account["order of segments"] == 1
    assert made.videos[0].segments == load_openpack(table(rows(*GOOD))).videos[0].segments
    table(rows(*GOOD).replace("U1,S1", "U2,S1"), "u.csv")
    both = load_openpack(tmp_path)
    assert both.sources == ("U1/S1", "U2/S1") and both.account["rows"] == 6


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (rows(*GOOD).replace("operation,start", "action,start"), "lacks the columns operation"),
        (rows(*GOOD).replace(f"{DAY}15.000+09:00", "later"), "line 4: start is 'later'"),
        (rows(GOOD[0].replace("Picking", "Close Box")), "line 2: id 100 with operation 'Close Box'; id 100"),
        (rows(GOOD[0].replace("100", "123")), "id 123 with operation 'Picking'; known ids: 100, 200"),
        (rows(stamped(100, "Picking", 12, 10)), "ends before it has lasted"),
        (rows(GOOD[0], stamped(300, "Assemble Box", 11, 14)), "only one can be under way"),
        ("", "cannot be read as CSV"),
        (HEAD + "\n", "no row"),
    ],
)  # fmt: skip
def test_grave_faults_are_refused_with_their_place(table, text, reason):
    with pytest.raises(BadInput, match=reason):
        load_openpack(table(text))


def test_missing_files_and_the_same_session_twice(table, tmp_path):
    with pytest.raises(BadInput, match="holds no CSV file"):
        load_openpack(tmp_path)
    with pytest.raises(BadInput, match="there is no such file"):
        load_openpack(tmp_path / "x.csv")
    table(rows(*GOOD))
    table(rows(*GOOD), "copy.csv")
    with pytest.raises(BadInput, match="U1/S1 is in two files"):
        load_openpack(tmp_path)
