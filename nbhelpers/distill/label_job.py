"""The work of one labelling: what is left to do, batch after batch, and what is written at the end."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.artifacts import sha256_value
from nbhelpers.distill.label_journal import JOURNAL, Journal, write_coco
from nbhelpers.distill.label_source import Source
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.teach.grounded_sam import GroundedSam, Seen

LABELS_FILE = "labels.json"
FEATURES_FOLDER = "features"
# Raise it with every change of what is written: labels of another version are made again.
_VERSION = 1
Say = Callable[[str], None]


@dataclass(frozen=True)
class LabelJob:
    """One call of `label_images`; see there for what its attributes mean."""

    teachers: "GroundedSam"
    source: Source
    output: Path
    features: bool
    batch: int
    thresholds: dict[str, float]
    say: Say

    @property
    def least(self) -> dict[str, float]:
        """Least score of every class."""
        names = self.teachers.class_names
        return {name: self.thresholds.get(name, self.teachers.threshold(name)) for name in names}

    def categories(self) -> list[dict[str, Any]]:
        """COCO categories of the teachers' classes, by rising id: the set's own, or numbered from 1."""
        coco = self.source.coco
        known = {str(item["name"]): item for item in (coco.categories if coco is not None else ())}
        names = self.teachers.class_names
        if all(name in known for name in names):
            return sorted((dict(known[name]) for name in names), key=lambda item: item["id"])
        return [{"id": number, "name": name} for number, name in enumerate(names, 1)]

    def journal(self) -> Journal:
        """The journal of these teachers, on which labelling goes on; one of others is begun anew."""
        identity = [_VERSION, self.teachers.identity(), self.least, self.categories()]
        made = Journal(self.output / JOURNAL, sha256_value(identity))
        if made.foreign:
            self.say(f"{self.output}: holds labels of other teachers or thresholds; they are made anew")
            made.path.unlink()
            (self.output / LABELS_FILE).unlink(missing_ok=True)
            shutil.rmtree(self.output / FEATURES_FOLDER, ignore_errors=True)
            made = Journal(made.path, sha256_value(identity))
        made.start()
        return made

    def todo(self, journal: Journal) -> tuple[list[Any], int]:
        """Images that are to be labelled, and how many of the source are already."""
        todo = [key for key in self.source if not self._done(journal, key)]
        return todo, len(self.source) - len(todo)

    def _done(self, journal: Journal, key: Any) -> bool:
        stamp = self.source.stamp(key)
        if not stamp or not journal.has(key, stamp, self.features):
            return False
        return not self.features or self._features_of(journal.id_of(key)).is_file()

    def _features_of(self, image_id: int | None) -> Path:
        return self.output / FEATURES_FOLDER / f"{image_id}.npz"

    def label(self, journal: Journal, todo: list[Any], max_minutes: float | None) -> int:
        """Label batch after batch; how many images were dealt with when it ended."""
        from nbhelpers.runtime import progress
        from nbhelpers.training.deadline import Deadline

        deadline = Deadline(None if max_minutes is None else 60 * max_minutes)
        done = 0
        with progress(total=len(todo), label="labelling", unit="image") as bar:
            for start in range(0, len(todo), self.batch):
                if deadline.left_s() <= 0:
                    break
                keys = todo[start : start + self.batch]
                self._label_batch(journal, keys)
                done += len(keys)
                bar.update(len(keys))
        return done

    def _label_batch(self, journal: Journal, keys: list[Any]) -> None:
        readable: list[tuple[Any, NDArray[np.uint8]]] = []
        for key in keys:
            try:
                readable.append((key, self.source.read(key)))
            except BadInput as error:
                journal.add({**self._head(journal, key), "error": str(error), "features": False})
        seen = self.teachers.look(
            [image for _, image in readable], thresholds=self.thresholds, features=self.features
        )
        for (key, image), one in zip(readable, seen, strict=True):
            self._keep(journal, key, (image.shape[0], image.shape[1]), one)

    def _head(self, journal: Journal, key: Any) -> dict[str, Any]:
        """What every record begins with; images of a folder are numbered as they come."""
        number = key if self.source.coco is not None else journal.id_of(key) or journal.highest_id + 1
        return {"key": key, "id": number, "stamp": self.source.stamp(key)}

    def _keep(self, journal: Journal, key: Any, size: tuple[int, int], seen: "Seen") -> None:
        """Features first, the record last: a record says that all of its image is on disk."""
        from nbhelpers.teach.grounded_sam import save_features

        head = self._head(journal, key)
        if self.features:
            save_features(self._features_of(head["id"]), seen.features)
        image = {"id": head["id"], "file_name": self.source.name(key), "width": size[1], "height": size[0]}
        found = list(annotations_of(seen.detections, self.categories(), self.teachers.class_names))
        journal.add({**head, "features": self.features, "image": image, "annotations": found})

    def write(self, journal: Journal) -> tuple[int, int, tuple[tuple[str, str], ...]]:
        """Write the COCO file; (images, annotations, unreadable images with the reason)."""
        images, unreadable = 0, []
        for record in journal.records(self.source):
            if "error" in record:
                unreadable.append((self.source.name(record["key"]), str(record["error"])))
            images += "image" in record
        info = {
            "description": "Labels by teachers; nobody has checked them",
            "thresholds": self.least,
            "validation_f1": {one.name: one.f1 for one in self.teachers.choices if one.f1 is not None},
            "unreadable": [name for name, _ in unreadable],
        }
        count = write_coco(
            self.output / LABELS_FILE, lambda: journal.records(self.source), self.categories(), info
        )
        return images, count, tuple(unreadable)


def annotations_of(
    detections: Any, categories: list[dict[str, Any]], class_names: list[str]
) -> Iterator[dict[str, Any]]:
    """COCO annotations of one image without ids, strongest first.

    Args:
        detections: as `GroundedSam.predict` gives them.
        categories: by rising id; every class name is among them.
        class_names: by class index of the detections.
    """
    from nbhelpers.data.masks import mask_area, mask_to_rle

    ids = {str(category["name"]): int(category["id"]) for category in categories}
    columns = [class_names.index(str(category["name"])) for category in categories]
    for row in range(len(detections)):
        x1, y1, x2, y2 = (float(value) for value in detections.xyxy[row])
        found = {
            "category_id": ids[class_names[int(detections.class_id[row])]],
            "bbox": [round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)],
            "area": round((x2 - x1) * (y2 - y1), 2),
            "iscrowd": 0,
            "score": round(float(detections.confidence[row]), 6),
            "class_scores": [round(float(detections.data["class_scores"][row][c]), 4) for c in columns],
            "source": "teacher",
        }
        if detections.mask is not None:
            rle = mask_to_rle(np.asarray(detections.mask[row]))
            quality = round(float(detections.data["mask_quality"][row]), 4)
            found |= {"segmentation": rle, "area": mask_area(rle), "mask_quality": quality}
        yield found
