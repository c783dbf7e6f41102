"""What runs leave on disk."""

import enum
import json
import multiprocessing
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from nbhelpers.artifacts import (
    Check,
    Metric,
    append_record,
    plain,
    read_json,
    read_records,
    run_folder,
    sha256_file,
    sha256_value,
    to_json,
    write_atomic,
    write_json,
)
from nbhelpers.errors import BadInput, CheckFailed, NbhelpersError, Unavailable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Colour(enum.Enum):
    RED = "red"


class Model(BaseModel):
    side: int = 3


@dataclass
class Inner:
    path: Path
    values: np.ndarray


# ---- plain values and JSON


@given(JSON)
def test_json_values_survive(value):
    assert json.loads(to_json(value)) == value
    assert plain(value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1.0, np.nan], [np.inf, 2.0]]), [[1.0, None], [None, 2.0]]),
        (float("-inf"), None),
        (Path("a/b"), "a/b"),
        ({1: (2, 3)}, {"1": [2, 3]}),
        ({"b", "a"}, ["a", "b"]),
        (Colour.RED, "red"),
        (Model(), {"side": 3}),
        (Metric(0.5, 4), {"value": 0.5, "n": 4, "unit": "", "low": None, "high": None}),
        ([Check("ap", 0.7, ">= 0.5", True)], [{"name": "ap", "value": 0.7, "bar": ">= 0.5", "ok": True}]),
        (Inner(Path("x"), np.arange(2)), {"path": "x", "values": [0, 1]}),
    ],
)
def test_plain(value, expected):
    found = plain(value)
    assert found == expected
    json.dumps(found, allow_nan=False)


def test_to_json_is_strict_and_keeps_letters():
    assert to_json({"name": "Kühlschrank", "x": float("nan")}, None) == '{"name": "Kühlschrank", "x": null}'


def test_hash_of_a_value_ignores_key_order_and_the_processs_hash_seed():
    value = {"b": [1, 2], "a": {"x", "y", "z", "w"}}
    assert sha256_value(value) == sha256_value(dict(reversed(value.items())))
    assert sha256_value(value) != sha256_value({**value, "b": [2, 1]})
    code = f"from nbhelpers.artifacts import sha256_value; print(sha256_value({value!r}))"
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == sha256_value(value)


def test_hash_of_a_file_is_the_published_one(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, example B.1
    assert sha256_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# ---- atomic writes


def test_write_makes_folders_and_replaces(tmp_path):
    path = tmp_path / "a" / "b.txt"
    assert write_atomic(path, "één") == path
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = write_atomic(tmp_path / "f", "old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_json_writes_nothing(tmp_path):
    with pytest.raises(RecursionError):
        loop: list = []
        loop.append(loop)
        write_json(tmp_path / "f.json", loop)
    assert not list(tmp_path.iterdir())


def test_a_file_that_can_be_made_again_need_not_wait_for_the_disk(tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr(os, "fsync", waited.append)
    assert write_atomic(tmp_path / "kept", b"x", sync=False).read_bytes() == b"x" and not waited
    write_atomic(tmp_path / "result", b"x")
    assert len(waited) == 1 and {path.name for path in tmp_path.iterdir()} == {"kept", "result"}


@pytest.mark.skipif(sys.platform == "win32", reason="file modes of POSIX")
def test_written_files_follow_the_umask_like_any_other(tmp_path):
    before = os.umask(0o027)
    try:
        path = write_atomic(tmp_path / "f", "x")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_readers_never_see_half_a_file(tmp_path):
    path = write_json(tmp_path / "f.json", [0] * 20_000)
    stop, broken = threading.Event(), []

    def read():
        while not stop.is_set():
            try:
                whole = len(read_json(path)) == 20_000
            except BadInput as error:  # in a thread it would only be a warning
                whole = False
                broken.append(str(error))
            if not whole:
                stop.set()

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(30):
        write_json(path, [number] * 20_000)
    saw_half = stop.is_set()
    stop.set()
    reader.join()
    assert not saw_half, broken


def test_a_long_name_can_be_written(tmp_path):
    name = "é" * 127  # 254 bytes: the longest most file systems take
    assert write_atomic(tmp_path / name, "x").read_text() == "x"


# ---- reading


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not JSON: Expecting value (line 1, column 1)"),
        (b'{"a": 1,\n "b" 2}', "(line 2, column 6)"),
        (b"\x89PNG\r\n", "is not"),
        (b"[" * 100_000, "is JSON that cannot be used"),
        (b"[" + b"9" * 5000 + b"]", "is JSON that cannot be used"),
    ],
)
def test_read_json_names_the_file_and_the_place(tmp_path, content, said):
    path = tmp_path / "f.json"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


def test_read_json_of_nothing_and_of_a_folder(tmp_path):
    with pytest.raises(BadInput, match="there is no such file"):
        read_json(tmp_path / "none.json")
    with pytest.raises(BadInput, match="is a folder"):
        read_json(tmp_path)
    with pytest.raises(BadInput, match="cannot be read"):
        read_json(write_atomic(tmp_path / "f", "x") / "below.json")


def test_byte_order_marks_and_utf_16_are_read(tmp_path):
    for encoding in ("utf-8-sig", "utf-16"):
        path = tmp_path / encoding
        path.write_text('{"ä": 1}', encoding=encoding)
        assert read_json(path) == {"ä": 1}


# ---- records


@given(records=st.lists(st.dictionaries(st.text(), st.integers()), max_size=8), data=st.data())
def test_records_survive_and_a_kill_loses_at_most_the_last(records, data, tmp_path_factory):
    path = tmp_path_factory.mktemp("records") / "records.jsonl"
    for record in records:
        append_record(path, record)
    assert list(read_records(path)) == records
    if records:
        whole = path.read_bytes()
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
        kept = list(read_records(path))
        assert kept == records[: len(kept)]
        append_record(path, {"after": 1})
        assert list(read_records(path)) == [*kept, {"after": 1}]


def test_no_file_holds_no_records(tmp_path):
    assert list(read_records(tmp_path / "none.jsonl")) == []


def _append_many(path, who):
    for number in range(200):
        append_record(path, {"who": who, "n": number, "pad": "x" * 500})


def test_several_processes_append_without_mixing(tmp_path):
    path = tmp_path / "records.jsonl"
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    workers = [context.Process(target=_append_many, args=(path, who)) for who in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found = list(read_records(path))
    assert len(found) == 600
    for who in range(3):
        assert [record["n"] for record in found if record["who"] == who] == list(range(200))


# ---- run folders and errors


def test_run_folder(tmp_path):
    folder = run_folder(tmp_path, "2026-04.first", "data")
    assert folder.path == tmp_path / "2026-04.first" / "data"
    assert folder.figures.is_dir()
    names = [folder.settings.name, folder.results.name, folder.records.name]
    assert names == ["settings.yaml", "results.json", "records.jsonl"]
    assert run_folder(tmp_path, "2026-04.first", "data") == folder


@pytest.mark.parametrize("run_id", ["", ".", "..", "a/b", "a\\b", "C:x", "a\0b", "a*", "/tmp/x"])
def test_a_run_id_cannot_leave_its_folder(tmp_path, run_id):
    with pytest.raises(BadInput, match="run id"):
        run_folder(tmp_path, run_id, "data")
    assert not list(tmp_path.iterdir())


def test_exit_codes():
    assert [kind.exit_code for kind in (NbhelpersError, BadInput, CheckFailed, Unavailable)] == [1, 2, 1, 1]
