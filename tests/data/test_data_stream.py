"""Reading piece by piece gives what `json.loads` gives, wherever the pieces end."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbhelpers.data import document
from nbhelpers.data.stream import Cut, read_object
from nbhelpers.errors import BadInput

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stream") / "a.json"


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=4), JSON, max_size=5), st.integers(1, 40), st.sampled_from([None, 1]))
def test_equal_to_json(path: Path, content: dict[str, Any], chunk: int, indent: int | None) -> None:
    path.write_text(
        json.dumps(content, indent=indent, ensure_ascii=False), encoding="utf-8", errors="replace"
    )
    expected = json.loads(path.read_text(encoding="utf-8"))
    assert read_object(path, "utf-8", chunk) == (expected, 0)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1000])
def test_numbers_and_literals_cut_anywhere(path: Path, chunk: int) -> None:
    path.write_text(
        '{"a": [1.25e-3, -Infinity, NaN, 12345678, true, null] , "b":-1.5E+10,"c":{"d":[]},"e":[]}'
    )
    content, literals = read_object(path, "utf-8", chunk)
    assert content["a"][0] == 1.25e-3
    assert content["a"][3:] == [12345678, True, None]
    assert (content["b"], content["c"], content["e"], literals) == (-1.5e10, {"d": []}, [], 2)


BROKEN = ["", "[]", "7", "{", '{"a"', '{"a": ', '{"a": 1', '{"a": [1, 2', '{"a": [1 2]}', '{"a": [1, 2]} x',
          '{"a": [1,]}', "{1: 2}", '{"a": 1.}', '{"a": 1,}', '{"a": tru}',
          '{"a": [1] "b": 2}', "{,}"]  # fmt: skip


@pytest.mark.parametrize("chunk", [1, 5, 1000])
@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_object_is_refused(path: Path, text: str, chunk: int) -> None:
    path.write_text(text)
    with pytest.raises(Cut):
        read_object(path, "utf-8", chunk)


@pytest.mark.parametrize(
    "text", ['{"images": [], "annotations": [{"id": 1, "bbox": [NaN]}], "x": 1}', "{", "[1]"]
)
def test_large_and_small_files_are_read_alike(path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path.write_text(text)
    outcomes = []
    for large_bytes in (0, 10**9):
        monkeypatch.setattr(document, "_LARGE_BYTES", large_bytes)
        try:
            outcomes.append(repr(document.read_document(path)))
        except BadInput as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]
