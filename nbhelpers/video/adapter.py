"""What lies beside a video adapter: the operations it was taught, and the size of its frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbhelpers.artifacts import read_json, write_json
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.settings import VideoSection

FILE = "video.json"


@dataclass(frozen=True)
class Beside:
    """What an adapter was tuned with.

    Attributes:
        operations: names it was taught; empty where its folder does not say.
        frames: of a clip.
        size_px: frames were brought down to the area of a square of this side; None: as the processor does.
        sources: subjects, sessions or videos it was tuned on; None where its folder does not say.
    """

    operations: tuple[str, ...] = ()
    frames: int = 8
    size_px: int | None = None
    sources: tuple[str, ...] | None = None


def write_beside(
    adapter: Path, operations: Sequence[str], sources: Sequence[str], settings: "VideoSection"
) -> None:
    """Write down beside an adapter what it was tuned with."""
    made = Beside(tuple(operations), settings.frames, settings.size_px, tuple(sources))
    write_json(Path(adapter) / FILE, made)


def read_beside(adapter: str | Path) -> Beside:
    """What an adapter was tuned with; the defaults where its folder does not say.

    Raises:
        BadInput: the file is there and is none of ours.
    """
    path = Path(adapter) / FILE
    if not path.is_file():
        return Beside()
    given = read_json(path)
    names = given.get("operations") if isinstance(given, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadInput(f'{path}: must hold {{"operations": [names], "frames": 8, "size_px": null}}')
    sources = given.get("sources")
    known = None if sources is None else tuple(map(str, sources))
    return Beside(tuple(names), int(given.get("frames", 8)), given.get("size_px"), known)
