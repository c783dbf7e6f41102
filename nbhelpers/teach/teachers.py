"""Tune the teachers a set needs, one after the other, and put them together; or take those that are there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput
from nbhelpers.teach.account import fingerprint, finished, read_choices, read_tuned, write_account
from nbhelpers.teach.rungs import load_teacher
from nbhelpers.teach.tuned import TunedTeacher

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet, Prepared
    from nbhelpers.settings import LoraSettings, Settings, TeachSection
    from nbhelpers.teach.grounded_sam import Choice, GroundedSam
    from nbhelpers.teach.record import TeachersRecord

Say = Callable[[str], None]
# What each teacher is for; its section of the settings has the same name.
PURPOSES = {"grounding_dino": "detector", "sam": "segmenter"}


@dataclass(frozen=True)
class Teachers:
    """Teachers as they lie in their folder.

    Attributes:
        folder: with `teachers.json`, `tuned.json`, and per teacher `adapter/` and `training/`.
        record: content of `teachers.json`: what `GroundedSam.from_folder` needs.
        tuned: accounts of the trainings by teacher, `grounding_dino` and `sam`; only those that were tuned.
        choices: how the threshold of each class was chosen.
    """

    folder: Path
    record: "TeachersRecord"
    tuned: dict[str, TunedTeacher] = field(default_factory=dict)
    choices: "list[Choice]" = field(default_factory=list)

    def load(self, device: str = "auto", *, adapters: bool = True) -> "GroundedSam":
        """The teachers in memory, ready to label.

        Args:
            device: `auto`, `cpu` or `cuda:N`.
            adapters: False gives the same models as they were before tuning, with default thresholds.

        Raises:
            BadInput: an adapter is damaged, or its base model is not the one it was made on.
            NothingFits: a base model could not be loaded; says why.
        """
        from nbhelpers.teach.grounded_sam import GroundedSam

        if adapters:
            return GroundedSam.from_folder(self.folder, device)
        record = self.record
        return GroundedSam.from_pretrained(
            record.detector and record.detector.base,
            record.segmenter and record.segmenter.base,
            mode=record.mode,
            class_mapping={str(number): name for number, name in enumerate(record.class_names)},
            nms=record.nms,
            device=device,
        )


def teachers_for(mode_config: Mapping[str, Any]) -> list[str]:
    """Which teachers a set needs: boxes want Grounding DINO, masks want SAM.

    Raises:
        BadInput: no known annotation mode.
    """
    from nbhelpers.data.modes import TEACHERS

    mode = mode_config.get("annotation_mode")
    if mode not in TEACHERS:
        raise BadInput(f"annotation mode {mode!r}: teachers are known for {', '.join(TEACHERS)}")
    return list(TEACHERS[mode])


def tune_teachers(
    train: "CocoSet",
    val: "CocoSet",
    mode_config: Mapping[str, Any],
    settings: "TeachSection",
    folder: Path,
    *,
    profile: str = "cpu",
    device: str = "auto",
    say: Say = print,
) -> Teachers:
    """Tune the teachers of a set with LoRA, choose their thresholds, and leave them in `folder`.

    Each model is loaded, tuned and freed before the next, so the larger of the two decides the memory. An
    adapter with which its model is no better on `val` is kept in its folder and not used. Called
    again with the same inputs, what is finished is taken as it is, and a training that was cut short goes on.

    Args:
        train: images and labels to learn from.
        val: images and labels to stop and to choose thresholds by.
        mode_config: content of `.mode_config.json`; its annotation mode decides which teachers are tuned.
        settings: section `teach`.
        folder: of the teachers.
        profile: built-in profile whose models are tried.
        device: `auto`, `cpu` or `cuda:N`.
        say: takes the lines meant for people.

    Raises:
        BadInput: the sets or the settings cannot be trained with.
        NothingFits: no model of the profile could be loaded.
    """
    from nbhelpers.models import chain
    from nbhelpers.runtime import choose_device

    job = _Job(train, val, mode_config, settings, Path(folder), profile, choose_device(device).value, say)
    wanted = teachers_for(mode_config)
    _check_classes(train, val)
    names = {name: chain(PURPOSES[name], profile, job.section(name).model) for name in wanted}
    mark = fingerprint(train, val, mode_config["annotation_mode"], settings, names, job.device)
    if finished(job.folder, mark, settings) is not None:
        say(f"{job.folder.name}: these teachers were tuned before; taken as they are")
        return read_teachers_of(job.folder)
    made = {name: _tune(name, job) for name in wanted}
    tuned = {name: one for name, (_, one) in made.items()}
    record, choices = _record(job, made)
    first_choice = all(base == names[name][0] for name, (base, _) in made.items())
    write_account(job.folder, mark, first_choice, settings.max_minutes, tuned, choices)
    return Teachers(job.folder, record, tuned, choices)


@dataclass(frozen=True)
class _Job:
    """One call of `tune_teachers`."""

    train: "CocoSet"
    val: "CocoSet"
    mode_config: Mapping[str, Any]
    settings: "TeachSection"
    folder: Path
    profile: str
    device: str
    say: Say

    def section(self, name: str) -> "LoraSettings":
        section: LoraSettings = getattr(self.settings, PURPOSES[name])
        return section


def _check_classes(train: "CocoSet", val: "CocoSet") -> None:
    if train.class_names != val.class_names:
        raise BadInput(
            f"{val.path}: its classes ({', '.join(val.class_names)}) are not those of {train.path} "
            f"({', '.join(train.class_names)}); split both from one set"
        )


def _tune(name: str, job: _Job) -> tuple[str, TunedTeacher]:
    """The name a base was loaded by, and its account; the model is gone from memory afterwards."""
    from nbhelpers.memory import release
    from nbhelpers.teach.grounding_dino import tune_grounding_dino
    from nbhelpers.teach.sam import tune_sam

    tune = {"grounding_dino": tune_grounding_dino, "sam": tune_sam}[name]
    loaded = load_teacher(
        PURPOSES[name],
        job.section(name),
        job.train.class_names,
        profile=job.profile,
        device=job.device,
        say=job.say,
    )
    tuned = tune(loaded, job.train, job.val, job.settings, job.folder / name, say=job.say)
    base = loaded.name
    del loaded
    release()
    return base, tuned


def _record(job: _Job, made: Mapping[str, tuple[str, TunedTeacher]]) -> "tuple[TeachersRecord, list[Choice]]":
    """Put the tuned teachers together, choose thresholds on the validation part, write `teachers.json`."""
    from nbhelpers.teach.record import Part, TeachersRecord, write_teachers

    parts = {
        PURPOSES[name]: Part(base, tuned.revision, _adapter_of(tuned, job))
        for name, (base, tuned) in made.items()
    }
    record = TeachersRecord(
        mode=job.mode_config["annotation_mode"],
        class_names=tuple(job.val.class_names) if "detector" in parts else (),
        nms=job.settings.nms,
        detector=parts.get("detector"),
        segmenter=parts.get("segmenter"),
    )
    write_teachers(job.folder, record)
    choices = _choices(job)
    record = replace(record, thresholds={one.name: one.threshold for one in choices})
    write_teachers(job.folder, record)
    return record, choices


def _adapter_of(tuned: TunedTeacher, job: _Job) -> str | None:
    """Where an adapter lies in the folder; None for one that made its model no better on validation."""
    if tuned.helps:
        return tuned.adapter.relative_to(job.folder).as_posix()
    job.say(f"{tuned.name}: no better on validation with its adapter, so the teachers go without it")
    return None


def _choices(job: _Job) -> "list[Choice]":
    """The least score per class, chosen with the teachers as they now lie in the folder."""
    from nbhelpers.memory import release
    from nbhelpers.teach.grounded_sam import GroundedSam

    teachers = GroundedSam.from_folder(job.folder, device=job.device)
    teachers.choose_thresholds(job.val)
    choices = teachers.choices
    del teachers
    release()
    chosen = ", ".join(f"{one.name} {one.threshold:.2f}" for one in choices)
    job.say(f"thresholds chosen on {len(job.val.images)} validation images: {chosen}")
    return choices


def read_teachers_of(folder: Path) -> Teachers:
    """The teachers in a folder.

    Raises:
        BadInput: there are none.
    """
    from nbhelpers.teach.record import read_teachers

    folder = Path(folder)
    return Teachers(folder, read_teachers(folder), read_tuned(folder), read_choices(folder))


def teachers_or_default(
    folder: Path | None,
    dataset: "Prepared",
    settings: "Settings",
    root: Path,
    *,
    device: str = "auto",
    say: Say = print,
) -> Teachers:
    """The teachers notebook 07 left, or the same made here from the labels that may be used.

    Args:
        folder: of finished teachers; None makes them.
        dataset: the prepared set.
        settings: of all phases; `data.labelled` says how many labels may be used.
        root: where teachers that are made go (`root/teachers`); equal ones are used again.
        device: `auto`, `cpu` or `cuda:N`.
        say: takes the lines meant for people.

    Raises:
        BadInput: `folder` is given and holds no teachers, or the set has no usable part.
    """
    if folder is not None:
        return read_teachers_of(folder)
    from nbhelpers.data import few_labels, labelled_share, mode_config

    train = dataset.part("train")
    share, _ = labelled_share(train, settings.data)
    return tune_teachers(
        few_labels(train, share, settings.data.seed).labelled,
        dataset.parts[dataset.held_out],
        dataset.mode_config or mode_config(train, dataset.mode),
        settings.teach,
        Path(root) / "teachers",
        profile=settings.built_in,
        device=device,
        say=say,
    )
