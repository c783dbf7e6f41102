"""Where pictures come from: drawn scenes, a folder of photographs, a COCO set."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from nbhelpers.artifacts import sha256_file
from nbhelpers.data.images import probe_image
from nbhelpers.data.pictures.parts import part_of
from nbhelpers.data.pictures.picture import (
    Asked,
    Mask,
    PicturePart,
    PictureSet,
    Pixels,
    Shown,
    check_some,
    from_file,
    square,
    square_mask,
)
from nbhelpers.data.pictures.questions import photograph_questions, still_questions
from nbhelpers.data.split import parse_split
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet
    from nbhelpers.data.stills import Still
    from nbhelpers.settings import AttackSection

Questions = Mapping[str, Sequence[Asked]]
SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".png",
        ".bmp",
        ".webp",
        ".tif",
        ".tiff",
        ".gif",
        ".ppm",
        ".pgm",
        ".jp2",
        ".tga",
        ".avif",
    )
)
# Pictures that a twin learned from have even seeds; these have odd ones.
_DRAWN_SEED = 101


def drawn_pictures(
    count: int,
    split: str,
    tasks: Sequence[str],
    *,
    seed: int = 0,
    world: str = "base",
    avoid_objects: bool = False,
) -> PictureSet:
    """Drawn scenes of one or two objects with the right answers; no twin was trained on them.

    Args:
        count: pictures in all.
        split: shares, such as `train:0.5,val:0.1,test:0.4`.
        tasks: see `stills.TASKS`.
        seed: of the drawing, and of what goes into which part.
        world: `base` or `shifted`.
        avoid_objects: a patch may not cover an object.
    """
    drawn = [
        _drawn(index, 2 * seed + _DRAWN_SEED, world, tuple(tasks), avoid_objects) for index in range(count)
    ]
    identities = [f"{world}/{2 * seed + _DRAWN_SEED}/{index}" for index in range(count)]
    return _in_parts(
        drawn, identities, split, seed, still_questions(tasks, seed), f"drawn scenes ({world} world)"
    )


@lru_cache(maxsize=2048)
def _still(index: int, side: int, seed: int, world: str) -> "Still":
    from nbhelpers.data.stills import render_still

    return render_still(index, side, seed, world)


def _drawn(index: int, seed: int, world: str, tasks: tuple[str, ...], avoid: bool) -> Shown:
    def still(side: int) -> "Still":
        return _still(index, max(side, 64), seed, world)

    def read(side: int) -> Pixels:
        return square(still(side).image, side) if side < 64 else still(side).image

    def blocked(side: int) -> Mask:
        covered = still(side).objects[0].mask.copy()
        for thing in still(side).objects[1:]:
            covered |= thing.mask
        return square_mask(covered, side) if side < 64 else covered

    answers = {task: still(64).answer(task) for task in tasks}
    return Shown(f"{world}-{index:05d}", answers, read, blocked if avoid else None)


def folder_pictures(
    folder: Path,
    split: str,
    questions: Questions,
    *,
    seed: int = 0,
    most: int | None = None,
) -> PictureSet:
    """Every photograph below a folder, whatever its format; what cannot be read is named and left out.

    Files with equal bytes count once. The part follows from a hash of the bytes.

    Args:
        folder: searched with its sub-folders, in the order of names.
        split: shares.
        questions: by part.
        seed: another one deals out anew.
        most: take no more than so many, those with the smallest hashes.

    Raises:
        BadInput: there is no such folder, or nothing in it can be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"images {folder}: there is no such folder")
    found: dict[str, Path] = {}
    left_out: list[str] = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix.lower() not in SUFFIXES:
            continue
        try:
            facts = probe_image(path)
            if facts.suspect:
                raise BadInput(f"{path}: may be cut short: {facts.suspect}")
        except BadInput as error:
            left_out.append(str(error))
            continue
        found.setdefault(sha256_file(path), path)
    chosen = sorted(found, key=lambda digest: _rank(digest, seed))[:most]
    shown = [Shown(str(found[key].relative_to(folder)), {}, from_file(found[key])) for key in chosen]
    check_some(shown, f"images {folder}")
    return _in_parts(shown, chosen, split, seed, questions, f"folder {folder.name}", tuple(left_out))


def _rank(digest: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}/take/{digest}".encode()).hexdigest()


def coco_pictures(
    coco: "CocoSet",
    split: str,
    questions: Questions,
    *,
    seed: int = 0,
    most: int | None = None,
    avoid_objects: bool = False,
) -> PictureSet:
    """The images of a COCO set; where asked, a patch may not cover a labelled object.

    Args:
        coco: as `load_coco` gives it.
        split: shares.
        questions: by part.
        seed: another one deals out anew.
        most: take no more than so many, those with the smallest hashes.
        avoid_objects: block the boxes of the annotations.

    Raises:
        BadInput: no image of the set can be found.
    """
    found: dict[str, int] = {}
    left_out: list[str] = []
    for image_id in coco.image_ids:
        try:
            found.setdefault(sha256_file(coco.image_path(image_id)), image_id)
        except (BadInput, OSError) as error:
            left_out.append(f"image {image_id} of {coco.path.name}: {error}")
    chosen = sorted(found, key=lambda digest: _rank(digest, seed))[:most]
    shown = [_labelled(coco, found[key], avoid_objects) for key in chosen]
    check_some(shown, str(coco.path))
    return _in_parts(shown, chosen, split, seed, questions, f"COCO set {coco.path.name}", tuple(left_out))


def _labelled(coco: "CocoSet", image_id: int, avoid: bool) -> Shown:
    def read(side: int) -> Pixels:
        return square(coco.image(image_id), side)

    def blocked(side: int) -> Mask:
        import numpy as np

        height, width = coco.image(image_id).shape[:2]
        covered = np.zeros((height, width), dtype=bool)
        for x0, y0, x1, y1 in coco.detections(image_id).xyxy:
            covered[max(0, int(y0)) : int(np.ceil(y1)), max(0, int(x0)) : int(np.ceil(x1))] = True
        return square_mask(covered, side)

    name = str(coco.image_record(image_id)["file_name"])
    return Shown(name, {}, read, blocked if avoid else None)


def _in_parts(
    pictures: Sequence[Shown],
    identities: Sequence[str],
    split: str,
    seed: int,
    questions: Questions,
    source: str,
    left_out: tuple[str, ...] = (),
) -> PictureSet:
    shares = parse_split(split)
    homes = [part_of(identity, shares, seed) for identity in identities]
    parts = {}
    for name in shares:
        own = tuple(picture for picture, home in zip(pictures, homes, strict=True) if home == name)
        # A part of another name asks what was not trained on.
        parts[name] = PicturePart(name, own, tuple(questions.get(name, questions["test"])))
    return PictureSet(parts, source, left_out)


def pictures_or_default(
    images: Path | None,
    settings: "AttackSection",
    family: str,
    *,
    coco: Path | None = None,
    questions: Path | None = None,
) -> PictureSet:
    """The pictures an attack is made on: a folder, a COCO set, or else the drawn scenes.

    Args:
        images: folder of photographs, or of the images of `coco`.
        settings: the section `attack`: pictures, split, tasks, world, avoid, seed.
        family: `model_type` of the victim; its questions are asked of photographs.
        coco: a COCO file.
        questions: YAML of one's own; see `photograph_questions`.

    Raises:
        BadInput: a folder or file that cannot be used.
    """
    if images is None and coco is None:
        return drawn_pictures(
            settings.pictures, settings.split, settings.tasks,
            seed=settings.seed, world=settings.world, avoid_objects=settings.avoid == "objects",
        )  # fmt: skip
    asked = photograph_questions(family, _own_tasks(settings), questions)
    if coco is None:
        assert images is not None
        return folder_pictures(images, settings.split, asked, seed=settings.seed, most=settings.pictures)
    from nbhelpers.data.coco import load_coco

    return coco_pictures(
        load_coco(coco, images), settings.split, asked,
        seed=settings.seed, most=settings.pictures, avoid_objects=settings.avoid == "objects",
    )  # fmt: skip


def _own_tasks(settings: "AttackSection") -> tuple[str, ...]:
    """The tasks asked for, but for those that only drawn pictures have: then all of the file."""
    from nbhelpers.data.stills import TASKS

    return tuple(task for task in settings.tasks if task not in TASKS)
