"""Opening a video file safely: its best stream, or one sentence about why there is none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbhelpers.errors import BadInput

# What cameras, phones and recorders write. Left out on purpose: play lists (HLS, DASH, concat), which name
# other files and addresses and would make whoever uploads one choose what the machine reads; and still
# images.
_FORMATS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,mpegps,flv,asf,ogg,gif,h264,hevc,m4v,mjpeg,ivf,nut,mxf,dv,"
    "obu,mp3,wav,flac,aac,caf,aiff"
)
_CUT = (
    "is cut off: the index of an MP4 stands at its end, and is not whole; copy it again, or restore it "
    "with `untrunc`"
)


@contextmanager
def open_video(path: Path) -> Iterator[tuple[Any, Any, list[str]]]:
    """Open a file and choose its video stream.

    Yields:
        PyAV's container and stream, and warnings about the choice.

    Raises:
        BadInput: no such file, a folder, no bytes, not a video, cut off before its index, or no video
            stream.
    """
    import av

    _check_file(path)
    try:
        # "file:" keeps a name such as "concat:a.mp4" from being taken for a protocol.
        container = av.open(f"file:{path}", options={"format_whitelist": _FORMATS})
    except (av.error.FFmpegError, ValueError) as error:
        raise BadInput(f"{path}: {_CUT if _looks_cut(path) else _why_unreadable(path, error)}") from None
    with container:
        streams = [one for one in container.streams.video if not _is_cover(one)]
        if not streams:
            why = f"has no video stream ({_kinds(container)}); give a file with pictures"
            raise BadInput(f"{path}: {_CUT if _looks_cut(path) else why}")
        stream = container.streams.best("video", related=None)
        stream = stream if stream in streams else streams[0]
        if stream.codec_context is None:
            raise BadInput(f"{path}: its video codec is unknown here; convert it to H.264")
        yield container, stream, _choice(stream, streams)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise BadInput(f"{path}: is a folder, not a video")
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise BadInput(f"{path}: is empty (0 bytes); copy or record it again")


def _why_unreadable(path: Path, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return f"is no video that can be read ({reason}); MP4, MOV, MKV, WebM, AVI and MPEG-TS can"


def _looks_cut(path: Path) -> bool:
    """An MP4 or MOV, by its first box, whose index is missing or runs over the end of the file."""
    size, place = path.stat().st_size, 0
    kinds: list[bytes] = []
    with path.open("rb") as file:
        while place + 8 <= size and len(kinds) < 64:
            file.seek(place)
            length, kind = int.from_bytes(file.read(4), "big"), file.read(4)
            if length == 1:
                length = int.from_bytes(file.read(8), "big")
            kinds.append(kind)
            if length < 8:
                break
            place += length
    return kinds[:1] in ([b"ftyp"], [b"wide"]) and (b"moov" not in kinds or place > size)


def _is_cover(stream: Any) -> bool:
    """The still picture of an audio file's cover, which containers store as a video stream."""
    return "attached_pic" in str(stream.disposition.name or "")


def _kinds(container: Any) -> str:
    kinds = [stream.type for stream in container.streams if stream.type != "video"]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    cover = ", a cover picture" if container.streams.video else ""
    return (counted or "no stream at all") + cover


def _choice(stream: Any, streams: list[Any]) -> list[str]:
    if len(streams) == 1:
        return []
    return [
        f"{len(streams)} video streams: stream {stream.index} "
        f"({stream.codec_context.width}x{stream.codec_context.height}) is used"
    ]
