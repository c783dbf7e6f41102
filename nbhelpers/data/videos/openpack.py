"""OpenPack's operation tables (CSV) as labelled videos: labels alone, its public data holds no film."""

from pathlib import Path
from typing import TYPE_CHECKING

from nbhelpers.data.operations import OPERATIONS
from nbhelpers.data.videos.records import NULL, LabelledSegment, LabelledVideo, VideoSet
from nbhelpers.data.videos.segments import Reading, in_order
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

NULL_ID = 8100
_NEEDED = ("user", "session", "id", "operation", "start", "end")
_GAP_S = 0.001  # shorter is rounding: the stamps are milliseconds


def load_openpack(path: Path | str) -> VideoSet:
    """Read one session's CSV, or all of a folder, to the form of our own annotations.

    A session becomes a video without a file that starts with its first operation; its source is
    "user/session". Rows of the Null class (8100) stay as segments named "Null". The `account` of the set
    sums up: `rows` is `operations` + `null` + `dropped`; `gaps` counts unlabelled stretches between rows,
    `gap_s` their seconds.

    Source: Yoshimura et al., "OpenPack: A Large-Scale Dataset for Recognizing Packaging Works in
    IoT-Enabled Logistic Environments", PerCom 2024; columns by
    https://open-pack.github.io/openpack-dataset.

    Raises:
        BadInput: no such file, a column missing, a stamp that is no time, an id or name that is not
            OpenPack's, rows that overlap.
    """
    path = Path(path)
    files = sorted(path.rglob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise BadInput(f"{path}: holds no CSV file; name the folder of the operation tables")
    reading = Reading(path)
    tables = [(file, _table(file)) for file in files]
    videos = [
        _session(file, f"{user}/{session}", rows, reading)
        for file, table in tables
        for (user, session), rows in table.groupby(["user", "session"], sort=False)
    ]
    sources = [video.source for video in videos]
    if twice := next((source for source in sources if sources.count(source) > 1), None):
        raise BadInput(f"{path}: session {twice} is in two files; leave one of them out")
    account = _account(videos, sum(len(table) for _, table in tables), reading)
    return VideoSet(
        path, tuple(one.name for one in OPERATIONS), tuple(videos), tuple(reading.warnings), account
    )


def _table(file: Path) -> "pd.DataFrame":
    import pandas as pd

    try:
        table = pd.read_csv(
            file, dtype={"user": str, "session": str, "operation": str}, keep_default_na=False
        )
    except FileNotFoundError:
        raise BadInput(f"{file}: there is no such file") from None
    except (ValueError, OSError) as error:  # pandas' own parser errors are ValueErrors
        raise BadInput(f"{file}: cannot be read as CSV ({error})") from None
    lacking = [name for name in _NEEDED if name not in table.columns]
    if lacking:
        raise BadInput(
            f"{file}: lacks the columns {', '.join(lacking)}; an OpenPack table has {', '.join(_NEEDED)}"
        )
    if table.empty:
        raise BadInput(f"{file}: has no row; a session without operations cannot be used")
    for column in ("start", "end"):
        stamps = pd.to_datetime(table[column], errors="coerce", utc=True, format="ISO8601")
        if stamps.isna().any():
            row = int(stamps.isna().to_numpy().argmax())
            raise BadInput(
                f"{file}: line {row + 2}: {column} is {table[column][row]!r}; give an ISO 8601 time"
            )
        table[column] = stamps
    return table


def _session(file: Path, source: str, rows: "pd.DataFrame", reading: Reading) -> LabelledVideo:
    first = rows["start"].min()
    starts = (rows["start"] - first).dt.total_seconds()
    ends = (rows["end"] - first).dt.total_seconds()
    names = [
        _name(file, line, *pair)
        for line, pair in zip(rows.index, rows[["id", "operation"]].values, strict=True)
    ]
    read = [
        LabelledSegment(name, float(start), float(end), int(number))
        for name, start, end, number in zip(names, starts, ends, rows["id"], strict=True)
    ]
    reading.path = file
    segments = in_order(read, float(ends.max()), _GAP_S, source, reading)
    return LabelledVideo(source.replace("/", "_"), None, 0.0, 0, float(ends.max()), source, segments)


def _name(file: Path, line: int, number: object, operation: object) -> str:
    """The operation's name, which its id must confirm."""
    known = {one.id: one.name for one in OPERATIONS} | {NULL_ID: NULL}
    expected = known.get(int(str(number))) if str(number).isdigit() else None
    if expected is None or operation != expected:
        mend = f"id {number} is {expected!r}" if expected else f"known ids: {', '.join(map(str, known))}"
        raise BadInput(f"{file}: line {line + 2}: id {number} with operation {operation!r}; {mend}")
    return expected


def _account(videos: list[LabelledVideo], rows: int, reading: Reading) -> dict[str, float]:
    segments = [one for video in videos for one in video.segments]
    null = sum(one.operation == NULL for one in segments)
    gaps = [
        second.start_s - first.end_s
        for video in videos
        for first, second in zip(video.segments, video.segments[1:], strict=False)
        if second.start_s - first.end_s > _GAP_S
    ]
    return {
        "rows": rows,
        "operations": len(segments) - null,
        "null": null,
        "dropped": rows - len(segments),
        "gaps": len(gaps),
        "gap_s": round(sum(gaps), 3),
        **reading.counts,
    }
