"""Which video container a file is, by its first bytes."""

from pathlib import Path

# Offset and bytes. Containers that are text are left out on purpose: a play list that is called .mp4 would
# let FFmpeg open other files and addresses on the server's behalf.
_SIGNATURES: tuple[tuple[str, int, bytes], ...] = (
    ("MP4 or QuickTime", 4, b"ftyp"),
    ("QuickTime", 4, b"moov"),
    ("QuickTime", 4, b"mdat"),
    ("QuickTime", 4, b"wide"),
    ("QuickTime", 4, b"free"),
    ("Matroska or WebM", 0, b"\x1a\x45\xdf\xa3"),
    ("AVI", 8, b"AVI "),
    ("MPEG program stream", 0, b"\x00\x00\x01\xba"),
    ("Flash video", 0, b"FLV\x01"),
    ("Ogg", 0, b"OggS"),
    ("Windows Media", 0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
)
_TS_PACKET = 188


def container_of(path: Path) -> str | None:
    """The name of the container, None where the first bytes are those of none that is taken."""
    with path.open("rb") as file:
        head = file.read(2 * _TS_PACKET + 1)
    for name, offset, magic in _SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            return name
    if len(head) > _TS_PACKET and head[0] == head[_TS_PACKET] == 0x47:
        return "MPEG transport stream"
    return None
