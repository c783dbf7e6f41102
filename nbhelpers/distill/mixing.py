"""People's labels and teachers' labels in one set, by one stated rule."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.settings.sections import DistillSection

AGNOSTIC = "object"
SAME_OBJECT = 0.5


def mix(
    labelled: "CocoSet",
    pseudo: "CocoSet",
    min_score: float | Mapping[str, float] = 0.0,
    weight: Literal["score", "one"] = "score",
    *,
    keep_empty: bool = False,
    min_f1: float = 0.0,
) -> "CocoSet":
    """Put labels of people and of teachers into one set to train a student on.

    The rule:

    1. People's labels win. An image that people labelled keeps their labels alone, with weight 1 and source
       "people"; also where they found nothing.
    2. Where the teachers looked at such an image too, each label takes over the `class_scores` of the answer
       that overlaps it most (IoU of at least 0.5, each answer once, of whatever class: the teacher's doubt
       about the class is what is worth knowing).
    3. Any other image has the teachers' labels that score at least `min_score`, with weight `score` or 1.
    4. A class of which the teachers' labels were too often wrong or missing on validation (their F1, which
       the labels bring along, is below `min_f1`) is not learnt from them: their labels of it are left out,
       and images they labelled do not teach that it is absent (`not_exhaustive_category_ids` of the image,
       as in LVIS, Gupta et al. 2019, arXiv:1908.03195).
    5. Images on which no label of the teachers is left are left out: that teachers are silent does not prove
       that nothing is there. `keep_empty` keeps them as images without objects.

    One image is one file: images of both sets are compared by device and inode, so that links and other names
    of a file are seen through. Images the teachers looked at keep the ids the teachers knew them by, which
    name their feature files; other images and all annotations are numbered anew. Classes are compared by name
    and the categories are those of `labelled`; teachers that know "object" alone make all classes that one.

    Args:
        labelled: people's labels.
        pseudo: the teachers' labels, as `label_images` leaves them. Every annotation must say that it is one.
        min_score: least score of a teacher's label, 0..1, for all classes or by class name.
        weight: what a teacher's label counts for in the losses.
        keep_empty: see the rule.
        min_f1: see the rule; a class that validation says nothing about is trusted.

    Returns:
        A set in memory, of the images of both; each annotation has `weight`, `source` and, where known,
        `class_scores` in the order of class indices; each image has `source`.

    Raises:
        BadInput: an annotation of `pseudo` that no teacher made, a class that `labelled` has not, or an image
            file that is missing.
    """
    if weight not in ("score", "one"):
        raise BadInput(f"weight {weight!r}: use 'score' or 'one'")
    job = _Mixing(labelled, pseudo, min_score, weight, keep_empty, min_f1)
    images, annotations, frames = job.mixed()
    return replace(
        labelled,
        images=images,
        annotations=annotations,
        categories=job.categories,
        info={**labelled.info, "description": "Labels of people and of teachers"},
        folders=(job.root,),
        frames=frames,
    )


def mix_by(settings: "DistillSection", labelled: "CocoSet", pseudo: "CocoSet") -> "CocoSet":
    """`mix` as the settings say: `pseudo_score`, `pseudo_weight`, `pseudo_f1`."""
    return mix(labelled, pseudo, settings.pseudo_score, settings.pseudo_weight, min_f1=settings.pseudo_f1)


class _Mixing:
    """One call of `mix`."""

    def __init__(
        self,
        labelled: "CocoSet",
        pseudo: "CocoSet",
        min_score: float | Mapping[str, float],
        weight: str,
        keep_empty: bool,
        min_f1: float,
    ) -> None:
        self._labelled, self._pseudo = labelled, pseudo
        self._min_score, self._weight, self._keep_empty = min_score, weight, keep_empty
        self._agnostic = pseudo.class_names == [AGNOSTIC]
        self.categories = [{"id": 1, "name": AGNOSTIC}] if self._agnostic else labelled.categories
        self._ids = self._category_ids()
        self._doubted = self._doubted_names(min_f1)
        self._columns = [] if self._agnostic else self._column_order()
        self._files: dict[int, Path] = {}
        self.root = _common_root([*labelled.folders, *pseudo.folders])

    def _category_ids(self) -> dict[str, int]:
        """Category id of the mixed set by class name of either."""
        names = {*self._labelled.class_names, *self._pseudo.class_names}
        if self._agnostic:
            return dict.fromkeys(names, 1)
        known = {str(item["name"]): int(item["id"]) for item in self._labelled.categories}
        for name in self._pseudo.class_names:
            if name not in known:
                raise BadInput(
                    f"{self._pseudo.path}: labels the class {name!r}, which {self._labelled.path} has not; "
                    f"it has {', '.join(known)}"
                )
        return known

    def _doubted_names(self, min_f1: float) -> frozenset[str]:
        """The teachers' classes that are not learnt from them."""
        known = self._pseudo.info.get("validation_f1") or {}
        return frozenset(name for name in self._pseudo.class_names if known.get(name, 1.0) < min_f1)

    def _column_order(self) -> list[int | None]:
        """For every class of the mixed set, its column in the teachers' scores; None where they have none."""
        theirs = self._pseudo.class_names
        return [theirs.index(name) if name in theirs else None for name in self._labelled.class_names]

    def mixed(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[int, Any]]:
        """Images, annotations and frames of the mixed set."""
        people = {number: _file_key(self._labelled, number) for number in self._labelled.image_ids}
        teachers = {number: _file_key(self._pseudo, number) for number in self._pseudo.image_ids}
        seen_as = {key: number for number, key in teachers.items()}
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        frames: dict[int, Any] = {}
        free = max(teachers, default=0)
        for number, key in people.items():
            known = seen_as.pop(key, None)  # a second image of the same file gets an id of its own
            free += known is None
            own = free if known is None else known
            images.append(self._image(self._labelled, number, own, frames) | {"source": "people"})
            annotations += self._peoples(number, known, own)
        labelled_files = set(people.values())
        for number, key in teachers.items():
            if key in labelled_files:
                continue
            found = list(self._teachers(number))
            if found or self._keep_empty:
                images.append(self._image(self._pseudo, number, number, frames) | self._by_teachers())
                annotations += found
        numbered = [{**item, "id": place} for place, item in enumerate(annotations, 1)]
        return images, numbered, frames

    def _by_teachers(self) -> dict[str, Any]:
        """What the record of an image says whose labels are the teachers'."""
        doubted = sorted({self._ids[name] for name in self._doubted})
        return {"source": "teacher", "not_exhaustive_category_ids": doubted}

    def _image(self, coco: "CocoSet", number: int, own: int, frames: dict[int, Any]) -> dict[str, Any]:
        frames[own] = coco.frame_of(number)
        path = Path(os.path.abspath(coco.image_path(number)))  # noqa: PTH100 - without following links
        name = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        return {**coco.image_record(number), "id": own, "file_name": name.as_posix()}

    def _peoples(self, number: int, seen_as: int | None, own: int) -> Iterator[dict[str, Any]]:
        """People's labels of one image, with the teachers' scores where the teachers saw the same object."""
        entries = self._labelled.annotations_of(number)
        answers = [] if seen_as is None else list(self._checked(seen_as))
        matched = _matched(entries, answers)
        for place, entry in enumerate(entries):
            name = self._labelled.class_names[self._labelled.class_index[entry["category_id"]]]
            found = {key: value for key, value in entry.items() if key not in ("class_scores", "score")}
            found |= {"image_id": own, "category_id": self._ids[name], "weight": 1.0, "source": "people"}
            if place in matched:
                found["class_scores"] = self._scores(answers[matched[place]])
            yield found

    def _teachers(self, number: int) -> Iterator[dict[str, Any]]:
        """The teachers' labels of one image that score enough."""
        for entry in self._checked(number):
            name = self._pseudo.class_names[self._pseudo.class_index[entry["category_id"]]]
            if name in self._doubted or entry["score"] < self._least(name):
                continue
            worth = float(entry["score"]) if self._weight == "score" else 1.0
            scores = self._scores(entry)
            yield {**entry, "category_id": self._ids[name], "weight": worth, "class_scores": scores}

    def _least(self, name: str) -> float:
        if isinstance(self._min_score, Mapping):
            return self._min_score.get(name, 0.0)
        return self._min_score

    def _checked(self, number: int) -> Iterator[dict[str, Any]]:
        """The annotations of one image of the teachers' set; anything that no teacher made is refused."""
        for entry in self._pseudo.annotations_of(number):
            if entry.get("source") != "teacher" or "score" not in entry or "class_scores" not in entry:
                raise BadInput(
                    f"{self._pseudo.path}: annotation {entry['id']} is no teacher's label (source, score and "
                    "class_scores are missing); give the set that label_images wrote"
                )
            yield entry

    def _scores(self, entry: Mapping[str, Any]) -> list[float]:
        """A teacher's scores in the order of the mixed set's classes; classes it does not know score 0."""
        scores = entry["class_scores"]
        if self._agnostic:
            return [max(scores)]
        return [0.0 if column is None else scores[column] for column in self._columns]


def _file_key(coco: "CocoSet", number: int) -> tuple[int, int]:
    """What one image file is known by, whatever it is called."""
    facts = coco.image_path(number).stat()
    return facts.st_dev, facts.st_ino


def _common_root(folders: list[Path]) -> Path:
    """The folder above all: image names are given from there, since two folders may use one name twice."""
    return Path(os.path.commonpath([os.path.abspath(folder) for folder in folders]))  # noqa: PTH100


def _matched(entries: list[dict[str, Any]], answers: list[dict[str, Any]]) -> dict[int, int]:
    """Place of a label to place of the teachers' answer about the same object, the closest pairs first."""
    import numpy as np

    from nbhelpers.metrics import box_iou

    if not entries or not answers:
        return {}
    overlaps = box_iou(_boxes(entries), _boxes(answers))
    found: dict[int, int] = {}
    for flat in np.argsort(-overlaps, axis=None, kind="stable"):
        row, column = (int(value) for value in np.unravel_index(flat, overlaps.shape))
        if overlaps[row, column] < SAME_OBJECT:
            break
        if row not in found and column not in found.values():
            found[row] = column
    return found


def _boxes(entries: list[dict[str, Any]]) -> Any:
    """(N, 4) float64 XYXY pixels."""
    import numpy as np

    boxes = np.array([entry["bbox"] for entry in entries], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes
