"""The image files: found, opened, whole; their kinds of pixels and EXIF turns."""

from collections.abc import Sequence
from pathlib import Path

from nbhelpers.data.images import ImageFacts, probe_image, read_image
from nbhelpers.data.paths import ImageIndex, Resolved, resolve_image
from nbhelpers.data.validate.draft import Draft, shown
from nbhelpers.data.validate.image_records import sound_size
from nbhelpers.errors import BadInput
from nbhelpers.runtime import progress

_LOST = {
    "missing": ("image_missing", "there is no such file in {folders}"),
    "ambiguous": ("image_ambiguous", "several files in {folders} match the name equally well"),
    "outside": ("image_outside", "the name leads out of {folders}, where nothing is read"),
}
_FOUND = {
    "sub_folder": ("image_found_in_sub_folder", "found in a sub-folder"),
    "base_name": ("image_found_by_base_name", "found by the end of its name alone"),
    "absolute": ("image_path_absolute", "a full path into the folder of images"),
}


def probe_images(draft: Draft, folders: Sequence[Path], decode: str) -> dict[int, ImageFacts]:
    """Find and open the image files; drop images without a usable one.

    With `decode="none"` only the files of images without a usable size in the document are opened; where
    there is none the image stays, since something else may say the size.

    Returns:
        Row to what the header says, for each file that was opened.
    """
    index, facts = ImageIndex(folders), {}
    rows = draft.live_images()
    if decode == "none":
        rows = [row for row in rows if not draft.sizes[row].all()]
    for row in progress(rows, label="checking images", unit="image"):
        found = _probe(draft, row, folders, index, decode)
        if found is not None:
            facts[row] = found
    if rows and not facts and decode != "none":
        message = (
            f"none of {len(rows)} images was found in {_names(folders)}; name the folder that holds them"
        )
        draft.note("no_image_found", message, "error")
    return facts


def _probe(
    draft: Draft, row: int, folders: Sequence[Path], index: ImageIndex, decode: str
) -> ImageFacts | None:
    resolved = resolve_image(draft.images[row]["file_name"], folders, index)
    if resolved.path is None:
        if decode != "none":
            _lose(draft, row, resolved, folders)
        return None
    try:
        facts = probe_image(resolved.path)
        if decode == "full" or (facts.suspect and decode == "headers"):
            read_image(resolved.path)
    except BadInput as error:
        draft.image(row, "image_unreadable", str(error), "dropped")
        return None
    if not sound_size(facts.width, facts.height):
        draft.image(row, "image_too_large", f"{facts.width} x {facts.height} pixels are too many", "dropped")
        return None
    _note_place(draft, row, resolved)
    _note_pixels(draft, row, facts)
    return facts


def _lose(draft: Draft, row: int, resolved: Resolved, folders: Sequence[Path]) -> None:
    code, message = _LOST[resolved.how]
    draft.image(row, code, message.format(folders=_names(folders)), "dropped")


def _names(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders)) or "any folder"


def _note_place(draft: Draft, row: int, resolved: Resolved) -> None:
    """Say how the file was found, and write a name that finds it at once."""
    record, name = draft.images[row], resolved.relative
    if name is None:
        message = "a full path outside the folder of images: it is read, but only this machine has it"
        draft.image(row, "image_path_absolute", message, "kept")
    elif resolved.how in _FOUND:
        code, message = _FOUND[resolved.how]
        draft.image(row, code, f"{message}; file_name is now {shown(name, 300)}", "repaired")
        record["file_name"] = name
    elif name != record["file_name"]:
        message = f"file_name {shown(record['file_name'], 300)} is now {shown(name, 300)}"
        draft.image(row, "file_name_rewritten", message, "repaired")
        record["file_name"] = name


def _note_pixels(draft: Draft, row: int, facts: ImageFacts) -> None:
    kinds = [kind for kind in (facts.odd or "").split(", ") if kind and not kind.startswith("EXIF")]
    if kinds:
        message = (
            f"{facts.format} with {' and '.join(kinds)}: tools differ in how they read it; read as RGB here"
        )
        draft.image(row, "image_odd_pixels", message, "kept")
