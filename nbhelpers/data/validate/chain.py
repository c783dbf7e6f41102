"""The whole validation, check by check, in an order in which no later repair undoes an earlier one."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from nbhelpers.data.coco import CocoSet, from_document
from nbhelpers.data.document import Document, read_document
from nbhelpers.data.modes import detect_mode
from nbhelpers.data.paths import image_folders
from nbhelpers.data.validate import whole_set
from nbhelpers.data.validate.annotation_records import check_annotation_records, drop_with_images
from nbhelpers.data.validate.boxes import check_boxes
from nbhelpers.data.validate.categories import Categories
from nbhelpers.data.validate.draft import Draft
from nbhelpers.data.validate.frames import settle_sizes, settle_sizes_without_files
from nbhelpers.data.validate.image_files import probe_images
from nbhelpers.data.validate.image_records import ImageRows
from nbhelpers.data.validate.measures import check_measures
from nbhelpers.data.validate.normalised import scale_normalised
from nbhelpers.data.validate.polygons import check_polygons
from nbhelpers.data.validate.read_shapes import read_shapes
from nbhelpers.data.validate.report import Item, Report
from nbhelpers.data.validate.rles import check_rles
from nbhelpers.data.validate.shapes import Shapes
from nbhelpers.errors import BadInput

Decode = Literal["none", "headers", "full"]
DECODES: tuple[Decode, ...] = ("none", "headers", "full")


@dataclass(frozen=True)
class Validation:
    """A set in which every record is sound, and the account of how it came to be.

    Attributes:
        coco: what is left, repaired; empty lists where nothing is.
        report: what was found and done.
    """

    coco: CocoSet
    report: Report


def validate(
    path: Path,
    images: Path | None = None,
    *,
    strict: bool = False,
    decode: Decode = "headers",
    cache_mib: float = 256,
) -> Validation:
    """Check a COCO file, repair what can be repaired, drop what cannot, and account for every record.

    Nothing is written. Validating what comes out again repairs and drops nothing more.

    Args:
        path: the COCO JSON file.
        images: the folder of the images; see `load_coco` for where they are looked for without it.
        strict: warnings are errors, and make the report not ok.
        decode: `none`: image files are not looked at, except for sizes the document lacks. `headers`: each
            file is found and its header read; one whose end looks cut is decoded. Damage inside the pixels is
            not seen, nor a cut in formats other than JPEG, PNG, GIF, BMP and WebP. `full`: each is decoded.
        cache_mib: bound of the image cache of the set returned, MiB.

    Raises:
        BadInput: no such file, no COCO document (says what it is), `images` is no folder, unknown `decode`.
    """
    if decode not in DECODES:
        raise BadInput(f"decode {decode!r}: choose one of {', '.join(DECODES)}")
    path = Path(path)
    document = read_document(path)
    folders = image_folders(path, images)
    draft = _draft(path, document)
    categories = Categories(draft)
    _check_records(draft, categories, folders, decode)
    coco = _coco(draft, document, categories, folders, cache_mib)
    mode = detect_mode(coco) if coco.annotations else None
    items = list(map(_as_error, draft.items)) if strict else draft.items
    return Validation(coco, Report(path, *draft.counts(), items, mode, strict, decode))


def _as_error(item: Item) -> Item:
    return replace(item, severity="error") if item.severity == "warning" else item


def _draft(path: Path, document: Document) -> Draft:
    content = document.content
    categories = content.get("categories")
    draft = Draft(
        path, content["images"], content["annotations"], categories if isinstance(categories, list) else []
    )
    for code, message in document.notes:
        draft.note(code, message)
    if "categories" in content and not isinstance(categories, list):
        draft.note("categories_not_a_list", "categories is not a list; taken as none", "error")
    if "info" in content and not isinstance(content["info"], dict):
        draft.note("info_not_an_object", "info is not an object; taken as empty")
    return draft


def _check_records(draft: Draft, categories: Categories, folders: tuple[Path, ...], decode: Decode) -> None:
    images = ImageRows(draft)
    check_annotation_records(draft, images, categories)
    whole_set.number_annotations(draft)
    facts = probe_images(draft, folders, decode)
    drop_with_images(draft)
    shapes = read_shapes(draft)
    settle_sizes(draft, shapes, facts)
    settle_sizes_without_files(draft, shapes)
    drop_with_images(draft)
    _check_geometry(draft, shapes)
    whole_set.drop_copies(draft, shapes)
    whole_set.note_classes(draft, categories)
    whole_set.note_annotations(draft, shapes)
    whole_set.require_something(draft)


def _check_geometry(draft: Draft, shapes: Shapes) -> None:
    scale_normalised(draft, shapes)
    check_polygons(draft, shapes)
    check_rles(draft, shapes)
    check_boxes(draft, shapes)
    check_measures(draft, shapes)


def _coco(
    draft: Draft, document: Document, categories: Categories, folders: tuple[Path, ...], cache_mib: float
) -> CocoSet:
    images = [draft.images[row] for row in draft.live_images()]
    content = {
        **document.content,
        "images": images,
        "annotations": [draft.annotations[row] for row in draft.live_annotations().tolist()],
        "categories": categories.records,
    }
    coco = from_document(content, draft.path, folders, cache_mib)
    ids = {image["id"] for image in images}
    coco.frames = {id_: frame for id_, frame in draft.frames.items() if id_ in ids}
    return coco
