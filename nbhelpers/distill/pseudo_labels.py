"""Teachers label images once: streaming, resumable, written as COCO with scores."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.artifacts import sha256_value
from nbhelpers.distill.label_journal import JOURNAL, Journal, write_coco
from nbhelpers.distill.label_source import Source, open_source
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.teach.grounded_sam import GroundedSam, Seen

LABELS_FILE = "labels.json"
FEATURES_FOLDER = "features"
# Raise it with every change of what is written: labels of another version are made again.
_VERSION = 1
Say = Callable[[str], None]


@dataclass(frozen=True)
class LabelRun:
    """What a labelling left.

    Attributes:
        path: the COCO file.
        features: folder of `<image_id>.npz` (see `teach.grounded_sam.load_features`); None without features.
        n_images: labelled and readable, calls before this one included.
        n_annotations: in the file.
        labelled: images that this call labelled.
        resumed: images that calls before had labelled.
        unreadable: (file name, reason) of images that were left out.
        left: images that a deadline left for the next call.
        seconds: of this call.
        peak_bytes: highest resident memory of the process in this call.
    """

    path: Path
    features: Path | None
    n_images: int
    n_annotations: int
    labelled: int
    resumed: int
    unreadable: tuple[tuple[str, str], ...]
    left: int
    seconds: float
    peak_bytes: int
    _source: Source = field(repr=False)

    @property
    def images_per_second(self) -> float:
        """Of this call; 0 where nothing was left to label."""
        return self.labelled / self.seconds if self.labelled else 0.0

    def load(self) -> "CocoSet":
        """The labels as a set that finds its images where they were labelled."""
        from nbhelpers.data import load_coco

        source = self._source
        if source.coco is None:
            return load_coco(self.path, source.folder)
        found = load_coco(self.path, cache_mib=source.coco.cache_mib)
        known = set(found.image_ids)
        frames = {key: frame for key, frame in source.coco.frames.items() if key in known}
        return replace(found, folders=source.coco.folders, frames=frames)


def label_images(
    teachers: "GroundedSam",
    images: "Path | str | CocoSet",
    output: Path,
    *,
    features: bool = False,
    batch: int = 8,
    thresholds: Mapping[str, float] | None = None,
    max_minutes: float | None = None,
    say: Say = print,
) -> LabelRun:
    """Let teachers label a folder or a set, one batch of images in memory at a time.

    Every image's labels are on disk before the next batch is looked at. Called again, also after a kill, with
    the same teachers and thresholds, only images that are new, have changed or lack features are labelled;
    with others, labelling starts over. Of a set only the images are used, never its annotations.

    Args:
        teachers: that label.
        images: a folder (with its sub-folders), or a set.
        output: folder for `labels.json`, the journal and `features/`.
        features: keep the teachers' feature maps.
        batch: images read and labelled together.
        thresholds: least score by class name; None takes the teachers' own.
        max_minutes: stops cleanly after these; what is labelled by then is written, the next call goes on.
        say: takes the lines meant for people.

    Returns:
        What was done. Annotations in the file have `bbox` XYWH pixels, `area`, `iscrowd` 0, `score` 0..1,
        `class_scores` (list of the scores of all classes in the order of category ids), `source` "teacher"
        and, where there is a segmenter, `segmentation` (RLE) and `mask_quality` 0..1. Categories are the
        set's own where the teachers' classes are among them by name; in a folder they are numbered from 1.

    Raises:
        BadInput: no images, or the output folder holds the images.
    """
    from nbhelpers.memory import watch

    source, output = open_source(images), Path(output)
    _guard(source, output)
    job = _Job(teachers, source, output, features, max(1, batch), dict(thresholds or {}), say)
    journal = job.journal()
    began = time.monotonic()
    with watch() as seen:
        todo, resumed = job.todo(journal)
        labelled = job.label(journal, todo, max_minutes)
        n_images, n_annotations, unreadable = job.write(journal)
    run = LabelRun(
        path=output / LABELS_FILE,
        features=output / FEATURES_FOLDER if features else None,
        n_images=n_images,
        n_annotations=n_annotations,
        labelled=labelled,
        resumed=resumed,
        unreadable=unreadable,
        left=len(todo) - labelled,
        seconds=time.monotonic() - began,
        peak_bytes=seen.peak_bytes,
        _source=source,
    )
    _tell(run, source, say)
    return run


def _guard(source: Source, output: Path) -> None:
    if source.folder is not None and output.resolve().is_relative_to(source.folder.resolve()):
        raise BadInput(f"{output}: lies in the folder of the images; name a folder outside {source.folder}")
    if output.exists() and not output.is_dir():
        raise BadInput(f"{output}: is a file; name a folder for the labels")


def _tell(run: LabelRun, source: Source, say: Say) -> None:
    say(
        f"{run.n_annotations} labels on {run.n_images} images: {run.labelled} images labelled now in "
        f"{run.seconds:.0f} s, {run.resumed} before"
        + (f", {run.left} left for the next call" if run.left else "")
    )
    if run.unreadable:
        shown = "; ".join(f"{name} ({reason})" for name, reason in run.unreadable[:5])
        more = f" and {len(run.unreadable) - 5} more" if len(run.unreadable) > 5 else ""
        say(f"{source.where}: {len(run.unreadable)} images could not be read and are left out: {shown}{more}")


@dataclass(frozen=True)
class _Job:
    """One call of `label_images`."""

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
