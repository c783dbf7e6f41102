"""Reading a file that should be a COCO document, and saying what it is when it is none."""

import codecs
import gc
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbhelpers.errors import BadInput


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
    text, notes = _text(path)
    content, literals = _parse(path, text)
    if literals:
        notes.append(
            ("not_finite_literal", f"{literals} literals NaN or Infinity, which strict JSON does not know")
        )
    _require_coco(path, content)
    return Document(content, notes)


def _text(path: Path) -> tuple[str, list[tuple[str, str]]]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: is a folder; name the JSON file in it") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from None
    for magic, kind in (
        (b"\x1f\x8b", "gzip"),
        (b"PK\x03\x04", "zip"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ", "xz"),
    ):
        if raw.startswith(magic):
            raise BadInput(f"{path}: is packed with {kind}; unpack it first")
    encoding = json.detect_encoding(raw)
    has_mark = raw.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    notes = [("byte_order_mark", f"starts with a byte order mark ({encoding})")] if has_mark else []
    try:
        return raw.decode(encoding), notes
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: is not {encoding} text ({error.reason} at byte {error.start})") from None


def _parse(path: Path, text: str) -> tuple[Any, int]:
    literals: list[str] = []

    def literal(name: str) -> float:
        literals.append(name)
        return float(name)

    # Millions of new lists and no garbage among them: collecting in between only costs time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return json.loads(text, parse_constant=literal), len(literals)
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{path}: is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    except RecursionError:
        raise BadInput(f"{path}: is no COCO document: nested too deeply") from None
    except ValueError as error:  # an integer of thousands of digits
        raise BadInput(f"{path}: cannot be read as JSON: {error}") from None
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
