"""`annotations.json` of others: small faults are mended and said, grave ones refused with the place named."""

import json

import odd_videos as odd
import pytest

from nbhelpers.data.videos import LabelledSegment, load_videos
from nbhelpers.errors import BadInput

OPERATIONS = [{"id": 100, "name": "Picking"}, {"id": 300, "name": "Assemble Box"}]


def segment(operation="Picking", start=0.0, end=1.0, **more):
    return {"operation": operation, "start_s": start, "end_s": end, **more}


def video(**changes):
    entry = {"file_name": "a.mp4", "fps": 10, "num_frames": 40, "source": "U1/S1", "segments": [segment()]}
    return {key: value for key, value in {**entry, **changes}.items() if value is not ...}


@pytest.fixture
def read(tmp_path):
    """Writes a document and reads it; one film of four seconds lies beside it."""
    odd.write_video(tmp_path / "a.mp4")

    def run(*videos, operations=OPERATIONS, **more):
        document = {"operations": operations, "videos": list(videos), **more}
        path = tmp_path / "annotations.json"
        path.write_text(json.dumps({k: v for k, v in document.items() if v is not ...}))
        return load_videos(path)

    return run


def test_the_least_that_is_needed(read):
    made = read(video(source=...), operations=["Picking", "Assemble Box"])
    (one,) = made.videos
    assert made.operations == ("Picking", "Assemble Box")
    assert (one.fps, one.num_frames, one.duration_s, one.source, one.path.name) == (10, 40, 4, "a", "a.mp4")
    assert one.segments == (LabelledSegment("Picking", 0.0, 1.0),)
    assert made.warnings == ("a.mp4: no source; taken to be one of its own, 'a'",)


def test_a_faultless_file_gives_no_warning(read):
    made = read(video(segments=[segment(), segment("Assemble Box", 1, 4, operation_id=300)]))
    assert not made.warnings and made.account == {"videos": 1, "segments": 2}
    assert made.videos[0].segments[1].operation_id == 300 and made.videos[0].subject == "U1"


@pytest.mark.parametrize(
    ("changes", "segments", "kind"),
    [
        ({"segments": [segment(start="0.5", end=1)]}, [("Picking", 0.5, 1.0)], "number as text"),
        ({"segments": [segment(100)]}, [("Picking", 0.0, 1.0)], "operation by id"),
        ({"segments": [segment("Pick", operation_id=100)]}, [("Picking", 0.0, 1.0)], "operation by id"),
        (
            {"segments": [segment("Assemble Box", 2, 3), segment()]},
            [("Picking", 0.0, 1.0), ("Assemble Box", 2.0, 3.0)],
            "order of segments",
        ),
        ({"segments": [segment(start=-2, end=9)]}, [("Picking", 0.0, 4.0)], "cut at the video's ends"),
        ({"segments": [segment(start=4.5, end=9)]}, [], "outside the video"),
        (
            {"segments": [segment(end=1.06), segment("Assemble Box", 1, 2)]},
            [("Picking", 0.0, 1.03), ("Assemble Box", 1.03, 2.0)],
            "overlap",
        ),
        ({"fps": ..., "num_frames": ...}, [("Picking", 0.0, 1.0)], "size from file"),
        ({"file_name": "C:\\films\\a.mp4"}, [("Picking", 0.0, 1.0)], "path mended"),
        ({"file_name": "/films/a.mp4"}, [("Picking", 0.0, 1.0)], "path mended"),
        ({"file_name": "lost.mp4"}, [("Picking", 0.0, 1.0)], "file missing"),
        ({"source": ""}, [("Picking", 0.0, 1.0)], "source from file name"),
    ],
)  # fmt: skip
def test_small_faults_are_mended_and_said(read, changes, segments, kind):
    made = read(video(**changes))
    (one,) = made.videos
    assert [(s.operation, pytest.approx(s.start_s), pytest.approx(s.end_s)) for s in one.segments] == segments
    assert made.account[kind] == 1 and len(made.warnings) == 1
    assert (one.path is None) == (kind == "file missing")
    assert (one.num_frames, one.duration_s) == (40, 4)


def test_operations_are_taken_from_the_segments_where_they_are_not_listed(read):
    made = read(
        video(segments=[segment("B", 1, 2), segment("A", 2, 3), segment("Null", 3, 4)]), operations=...
    )
    assert made.operations == ("A", "B") and made.account["operations taken from segments"] == 1


def test_null_is_kept_as_a_segment_and_is_no_operation(read):
    made = read(video(segments=[segment(), segment("Null", 1, 2), segment("Assemble Box", 2, 3)]))
    assert [one.operation for one in made.videos[0].segments] == ["Picking", "Null", "Assemble Box"]
    assert "Null" not in made.operations and made.transitions() == {("Picking", "Assemble Box"): 1}


@pytest.mark.parametrize(
    ("videos", "more", "reason"),
    [
        ([], {}, "`videos` is empty"),
        ([video(), video()], {}, "'a.mp4' stands 2 times"),
        ([video(file_name=...)], {}, "video 0 has no file_name"),
        (["a.mp4"], {}, "video 0 has no file_name"),
        ([video(segments=...)], {}, "no list `segments`"),
        ([video(segments=["x"])], {}, "segment 0 is 'x'"),
        ([video(segments=[segment(start=None)])], {}, "segment 0 has no start_s"),
        ([video(segments=[segment(end="soon")])], {}, "end_s is 'soon'"),
        ([video(segments=[segment(end=float("nan"))])], {}, "end_s is nan"),
        ([video(segments=[segment(end=True)])], {}, "end_s is True"),
        ([video(segments=[segment(start=2, end=2)])], {}, "ends before it has lasted"),
        ([video(segments=[segment(end=3), segment("Assemble Box", 1, 4)])], {}, "only one can be under way"),
        ([video(segments=[segment("Juggling")])], {}, "'Juggling' is not listed; known: Picking, "),
        ([video(fps=0, file_name="lost.mp4")], {}, "no fps and num_frames above 0"),
        ([video(fps=[10])], {}, r"fps is \[10\]"),
        ([video()], {"operations": []}, "no list of names"),
        ([video()], {"operations": [{"id": 1}]}, "operation 0 has no name"),
        ([video()], {"operations": ["Picking", "Picking"]}, "listed twice"),
        ([video()], {"videos": {}}, "no list `videos`"),
    ],
)  # fmt: skip
def test_grave_faults_are_refused_with_their_place(read, tmp_path, videos, more, reason):
    with pytest.raises(BadInput, match=reason) as caught:
        read(*videos, **more)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"videos": 3}'])
def test_files_that_are_none_of_ours(tmp_path, text):
    (tmp_path / "annotations.json").write_text(text)
    with pytest.raises(BadInput, match=r"annotations\.json"):
        load_videos(tmp_path)
    with pytest.raises(BadInput, match="there is no such file"):
        load_videos(tmp_path / "elsewhere.json")
