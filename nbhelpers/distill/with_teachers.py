"""From people's labels and tuned teachers to what a student is trained on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.distill.label_source import open_source
from nbhelpers.distill.mixing import mix_by
from nbhelpers.distill.pseudo_labels import LabelRun, label_images
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.distill.teacher_targets import TeacherTargets
    from nbhelpers.settings.sections import DistillSection
    from nbhelpers.teach import GroundedSam


@dataclass(frozen=True)
class Taught:
    """What teachers made of a set.

    Attributes:
        train: people's labels and the teachers', mixed; see `mixing.mix`.
        teacher: their feature maps, for `train_student`; None where features are not distilled.
        run: of the labelling.
    """

    train: "CocoSet"
    teacher: "TeacherTargets | None"
    run: LabelRun


def taught_by(
    teachers: "GroundedSam",
    labelled: "CocoSet",
    images: "CocoSet | Path | None",
    settings: "DistillSection",
    folder: Path,
    say: Callable[[str], None] = print,
) -> Taught:
    """Let teachers look at the labelled images and at others, and mix what they say with people's labels.

    The settings decide what is taken from them: labels of the other images always (`pseudo_score`,
    `pseudo_weight`), class scores of all images for `losses.logit`, feature maps for `losses.feature`.

    Args:
        teachers: tuned or not.
        labelled: people's labels, all of which are used.
        images: what else to look at: a set, of which only the images are used and which may hold the labelled
            ones again; a folder; None for the labelled images alone.
        settings: the `distill` section.
        folder: for the labels and feature maps; a second call goes on there.
        say: takes the lines meant for people.

    Raises:
        BadInput: there would be nothing to learn from the teachers.
    """
    losses = settings.losses
    if images is None and not (losses.feature > 0 or losses.logit > 0):
        raise BadInput(
            "the teachers have nothing to add: no unlabelled images, and losses.feature and losses.logit are "
            "0; give unlabelled images, or raise one of them"
        )
    from nbhelpers.data import CocoSet

    source = labelled if images is None else images
    if not isinstance(source, CocoSet):
        source = with_folder(labelled, Path(source))
    run = label_images(teachers, source, Path(folder), features=losses.feature > 0, say=say)
    train = mix_by(settings, labelled, run.load())
    teacher = None
    if run.features is not None and losses.feature > 0:
        from nbhelpers.distill.teacher_targets import TeacherTargets

        teacher = TeacherTargets(run.features, train)
    return Taught(train, teacher, run)


def with_folder(labelled: "CocoSet", folder: Path) -> "CocoSet":
    """The images of a set and those of a folder as one set, without labels; a file in both comes once."""
    folder = Path(folder).resolve()
    known = {labelled.image_path(number).resolve() for number in labelled.image_ids}
    found = [folder / name for name in open_source(folder)]
    first = max(labelled.image_ids, default=0) + 1
    others = [path for path in found if path.resolve() not in known]
    records: list[dict[str, Any]] = [
        {"id": first + place, "file_name": path.as_posix()} for place, path in enumerate(others)
    ]
    return replace(
        labelled,
        images=[*labelled.images, *records],
        annotations=[],
        folders=(*labelled.folders, folder),
    )
