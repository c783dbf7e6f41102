"""Teachers label images once: streaming, resumable, written as COCO with scores."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nbhelpers.distill.label_job import FEATURES_FOLDER, LABELS_FILE, LabelJob, Say
from nbhelpers.distill.label_source import Source, open_source
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.teach.grounded_sam import GroundedSam


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
        BadInput: no images, the output folder lies in that of the images, or another process labels there.
    """
    from nbhelpers.memory import watch

    source, output = open_source(images), Path(output)
    _guard(source, output)
    job = LabelJob(teachers, source, output, features, max(1, batch), dict(thresholds or {}), say)
    began = time.monotonic()
    with _alone(output), watch() as seen:
        journal = job.journal()
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


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Hold the folder: two processes would write into one journal. A killed process lets go by itself."""
    from filelock import FileLock, Timeout

    output.mkdir(parents=True, exist_ok=True)
    lock = FileLock(output / ".labels.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BadInput(f"{output}: another process labels into this folder; wait for it") from None
    try:
        yield
    finally:
        lock.release()


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
