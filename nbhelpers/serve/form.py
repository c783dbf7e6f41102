"""A form as it is parsed: each file written to disk as it comes in, each field kept, all of it bounded."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from python_multipart import MultipartParser
from python_multipart.multipart import MultipartState, parse_options_header

from nbhelpers.serve.limits import Limits
from nbhelpers.serve.refusals import Refusal

_MOST_FIELDS, _FIELD_BYTES = 16, 1024
_KINDS = ("video/", "application/octet-stream", "application/mp4", "application/ogg", "application/mxf")


@dataclass(frozen=True)
class UploadedFile:
    """A file of an upload: what it was called, where it lies under a name of our own, its bytes."""

    name: str
    path: Path
    size_bytes: int


class Form:
    """Takes a body of multipart/form-data in pieces (RFC 7578).

    Args:
        boundary: from the content type.
        folder: where files go.
        limits: their size.
        field: the one name files may go by.
        most: files allowed.

    Attributes:
        fields: name to value of what was no file.
    """

    def __init__(self, boundary: bytes, folder: Path, limits: Limits, field: str, most: int) -> None:
        self._folder, self._limits, self._field, self._most = folder, limits, field, most
        self.fields: dict[str, str] = {}
        self._files: list[UploadedFile] = []
        self._open: BinaryIO | None = None
        self._name, self._header, self._value = "", b"", b""
        self._headers: dict[str, str] = {}
        self._data = bytearray()
        self._parser = MultipartParser(boundary, {
            "on_part_begin": self._headers.clear, "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value, "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers, "on_part_data": self._on_data,
            "on_part_end": self._on_end,
        })  # fmt: skip

    def write(self, chunk: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            Refusal: 413, 415 or 422.
            FormParserError: it is no form.
        """
        self._parser.write(chunk)

    def finish(self) -> tuple[UploadedFile, ...]:
        """The files, when all pieces were taken.

        Raises:
            Refusal: 422: the body ended in the middle, or there was no file.
        """
        if self._parser.state != MultipartState.END:
            raise Refusal(422, "the form ends before its last boundary; send it whole")
        if not self._files:
            raise Refusal(422, f"the form has no file; send the video in a field called {self._field!r}")
        return tuple(self._files)

    def close(self) -> None:
        """Close the file that is being written, if one is."""
        if self._open is not None:
            self._open.close()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header.decode("latin-1").lower()] = self._value.decode("latin-1").strip()
        self._header, self._value = b"", b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition"))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        file_name = options.get(b"filename")
        if file_name is None:
            self._check_field()
        else:
            self._start_file(file_name.decode("utf-8", "replace"))

    def _check_field(self) -> None:
        if not self._name or len(self.fields) >= _MOST_FIELDS or self._name in self.fields:
            raise Refusal(422, f"field {self._name[:40]!r} has no name, comes twice or is one too many")

    def _start_file(self, given: str) -> None:
        name = PurePosixPath(given.replace("\\", "/")).name[-200:] or "unnamed"
        kind = self._headers.get("content-type", _KINDS[1]).lower()
        if self._name != self._field:
            raise Refusal(422, f"file {name!r} is in field {self._name[:40]!r}; send it as {self._field!r}")
        if len(self._files) >= self._most:
            raise Refusal(413, f"too many files; this endpoint takes {self._most} in one request")
        if not kind.startswith(_KINDS):
            raise Refusal(
                415, f"{name} is sent as {kind[:60]}; send a video (video/mp4 or another video type)"
            )
        path = self._folder / f"{len(self._files):03d}"  # the name given by a client never reaches the disk
        self._open = path.open("xb")
        self._files.append(UploadedFile(name, path, 0))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._open is None:
            self._data += data[start:end]
            if len(self._data) > _FIELD_BYTES:
                raise Refusal(413, f"field {self._name[:40]!r} is longer than {_FIELD_BYTES} bytes")
            return
        if self._open.tell() + end - start > self._limits.upload_bytes:
            name = self._files[-1].name
            raise Refusal(413, f"{name} is too large; a video may have {self._limits.upload_mib:g} MiB")
        self._open.write(memoryview(data)[start:end])

    def _on_end(self) -> None:
        if self._open is None:
            self.fields[self._name] = bytes(self._data).decode("utf-8", "replace")
            self._data.clear()
            return
        last = self._files.pop()
        self._files.append(UploadedFile(last.name, last.path, self._open.tell()))
        self._open.close()
        self._open = None
