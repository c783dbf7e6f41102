"""Reading a file that should be a COCO document, and saying what it is when it is none."""

import codecs
import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbhelpers.data.stream import Cut, read_object
from nbhelpers.errors import BadInput

_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_LARGE_BYTES = 8 * 2**20


@dataclass
class Document:
    """A COCO document as read.

    Attributes:
        content: the parsed JSON; holds the lists `images` and `annotations`.
        notes: (code, message) of what was unusual about the file itself.
    """

    content: dict[str, Any]
    notes: list[tuple[str, str]] = field(default_factory=list)


def read_document(path: Path) -> Document:
    """Read a COCO file: UTF-8 with or without BOM, or UTF-16/32; NaN and Infinity are read and noted.

    Raises:
        BadInput: there is no such file, it is not JSON, or it is JSON but no COCO document; says what it is.
    """
    path = Path(path)
    notes: list[tuple[str, str]] = []
    encoding, has_mark = _encoding(path)
    if has_mark:
        notes.append(("byte_order_mark", f"starts with a byte order mark ({encoding})"))
    with _no_collection():
        content, literals = _read(path, encoding)
    if literals:
        message = f"{literals} literals NaN or Infinity, which strict JSON does not know"
        notes.append(("not_finite_literal", message))
    _require_coco(path, content)
    return Document(content, notes)


def _encoding(path: Path) -> tuple[str, bool]:
    """The encoding a file starts in, and whether a byte order mark says so."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: is a folder; name the JSON file in it") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from None
    for magic, kind in _PACKED.items():
        if start.startswith(magic):
            raise BadInput(f"{path}: is packed with {kind}; unpack it first")
    return json.detect_encoding(start), start.startswith(_MARKS)


def _read(path: Path, encoding: str) -> tuple[Any, int]:
    """The JSON value of a file and its number of NaN and Infinity literals; large objects piece by piece."""
    try:
        if path.stat().st_size > _LARGE_BYTES:
            with suppress(Cut):
                return read_object(path, encoding)
        return _parse(path.read_bytes().decode(encoding))
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: is not {encoding} text ({error.reason} at byte {error.start})") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BadInput(f"{path}: is not JSON: {error.msg} ({place})") from None
    except RecursionError:
        raise BadInput(f"{path}: is no COCO document: nested too deeply") from None
    except ValueError as error:  # an integer of thousands of digits
        raise BadInput(f"{path}: cannot be read as JSON: {error}") from None


def _parse(text: str) -> tuple[Any, int]:
    literals: list[str] = []

    def literal(name: str) -> float:
        literals.append(name)
        return float(name)

    return json.loads(text, parse_constant=literal), len(literals)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Millions of new lists and no garbage among them: collecting in between would only cost time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _require_coco(path: Path, content: Any) -> None:
    """Pass only a JSON object with the lists `images` and `annotations` of boxes or masks."""
    if not isinstance(content, dict):
        raise BadInput(f"{path}: is no COCO document but {_kind_of_value(content)}")
    lacking = [key for key in ("images", "annotations") if not isinstance(content.get(key), list)]
    if lacking:
        raise BadInput(f"{path}: is no COCO document: {_kind_of_object(content, lacking)}")
    sample = [entry for entry in content["annotations"][:100] if isinstance(entry, dict)]
    drawn = any("bbox" in entry or "segmentation" in entry for entry in sample)
    for key, kind in (("segments_info", "panoptic"), ("caption", "caption")):
        if sample and not drawn and all(key in entry for entry in sample):
            raise BadInput(f"{path}: is a COCO {kind} file; boxes or masks (COCO instances) are needed")


def _kind_of_value(content: Any) -> str:
    if not isinstance(content, list):
        return f"a single JSON {type(content).__name__}"
    first = next((entry for entry in content if isinstance(entry, dict)), None)
    if first is None:
        return "a list without records"
    if "score" in first and "image_id" in first:
        return "a list of COCO results (predictions); give it to `evaluate --predictions`"
    if "image_id" in first:
        return "a bare list of annotations; `images` and `categories` are missing"
    if "data" in first and "annotations" in first:
        return "a Label Studio export; export it as COCO"
    if "image" in first and "annotations" in first:
        return "a CreateML file; convert it to COCO"
    return f"a list of records with the keys {sorted(map(str, first))[:8]}"


def _kind_of_object(content: dict[str, Any], lacking: list[str]) -> str:
    if "shapes" in content and "imagePath" in content:
        return "it is a LabelMe file of one image; convert the folder to COCO (labelme2coco)"
    if "_via_img_metadata" in content or "_via_settings" in content:
        return "it is a VIA project; export it as COCO"
    if content.get("type") == "FeatureCollection":
        return "it is GeoJSON; its shapes are not in pixels of an image"
    keys = sorted(map(str, content))[:8]
    return f"{' and '.join(repr(key) for key in lacking)} must be lists; its keys are {keys}"
