"""`nbhelpers train-teacher` and `nbhelpers label`: teachers tuned with LoRA, and what they say of images."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbhelpers.cli.options import Gpu, Images, Output, device_for, existing_file, existing_folder
from nbhelpers.cli.output import Answer, command, paths
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.distill.pseudo_labels import LabelRun
    from nbhelpers.settings import Settings
    from nbhelpers.teach import Teachers

ROOM = "Teachers"
_MODES = ("detection", "segmentation", "detection_and_segmentation")


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(app, "train-teacher", ROOM, "train-teacher --data prepared --auto-detect --output teachers")
    def train_teacher(
        data: Annotated[
            Path,
            typer.Option(
                "--data", metavar="FILE|DIR", help="COCO JSON to learn from, or a folder of validate-dataset."
            ),
        ],
        output: Output,
        val: Annotated[
            Path | None,
            typer.Option("--val", metavar="FILE", help="COCO JSON to stop and choose thresholds by."),
        ] = None,
        images: Images = None,
        auto_detect: Annotated[
            bool, typer.Option("--auto-detect", help="Tune what the annotations ask for; the default.")
        ] = False,
        mode: Annotated[
            str | None, typer.Option(help="detection, segmentation or detection_and_segmentation.")
        ] = None,
        labelled: Annotated[
            float | None, typer.Option(min=0, max=1, help="Share of the training images whose labels count.")
        ] = None,
        detector: Annotated[
            str | None, typer.Option(metavar="NAME", help="Model instead of the profile's choice.")
        ] = None,
        segmenter: Annotated[
            str | None, typer.Option(metavar="NAME", help="Model instead of the profile's choice.")
        ] = None,
        max_minutes: Annotated[
            float | None, typer.Option(help="Each teacher's training stops cleanly after this time.")
        ] = None,
        profile: Annotated[str, typer.Option(help="Where all other settings come from.")] = "auto",
        setting: Annotated[
            list[str] | None, typer.Option("--set", metavar="teach.KEY=VALUE", help="Any other setting.")
        ] = None,
        gpu: Gpu = None,
    ) -> Answer:
        """Tune Grounding DINO and SAM with LoRA; a second call resumes or returns at once.

        Boxes call for Grounding DINO, masks for SAM. The class names of the COCO file are the prompt. Left in
        the folder: teachers.json, the adapters, the records of the trainings.
        """
        if auto_detect and mode is not None:
            raise BadInput(f"--auto-detect and --mode {mode} exclude each other; give one")
        if mode is not None and mode not in _MODES:
            raise BadInput(f"--mode {mode}: use {', '.join(_MODES)}")
        given: dict[str, Any] = {"data.labelled": labelled, "teach.max_minutes": max_minutes}
        given |= {"teach.detector.model": detector, "teach.segmenter.model": segmenter}
        settings = _settings(profile, given, setting or [])
        train, held_out, config = _sets(data, val, existing_folder(images, "--images"), mode, settings)
        from nbhelpers.teach import tune_teachers

        teachers = tune_teachers(
            train, held_out, config, settings.teach, output,
            profile=settings.built_in, device=device_for(gpu), say=_say,
        )  # fmt: skip
        return _answer(teachers)

    @command(app, "label", ROOM, "label --images photos --teachers teachers --output labels --features")
    def label(
        teachers: Annotated[
            Path, typer.Option("--teachers", metavar="DIR", help="Folder that train-teacher wrote.")
        ],
        output: Output,
        images: Annotated[
            Path | None,
            typer.Option("--images", metavar="DIR", help="Folder to label, or that of --data's images."),
        ] = None,
        data: Annotated[
            Path | None, typer.Option("--data", metavar="FILE", help="COCO JSON whose images are labelled.")
        ] = None,
        features: Annotated[
            bool, typer.Option("--features", help="Also keep the teachers' feature maps, for distillation.")
        ] = False,
        class_mapping: Annotated[
            Path | None,
            typer.Option(metavar="FILE", help='JSON of other classes to look for: {"1": "box"}.'),
        ] = None,
        batch: Annotated[int, typer.Option(min=1, help="Images labelled together.")] = 8,
        max_minutes: Annotated[float | None, typer.Option(help="Stop cleanly after this time.")] = None,
        gpu: Gpu = None,
    ) -> Answer:
        """Let teachers label images; after a kill, or with new images, a second call goes on.

        Left in the folder: labels.json, a COCO file whose annotations carry scores, and features/. Of a COCO
        file only the images are used, never its annotations.
        """
        from nbhelpers.distill.pseudo_labels import label_images
        from nbhelpers.teach import GroundedSam

        source = _source(images, data)
        labellers = GroundedSam.from_folder(teachers, device_for(gpu), batch=batch)
        if class_mapping is not None:
            labellers.names = _names(class_mapping, labellers.mode)
        run = label_images(
            labellers, source, output, features=features, batch=batch, max_minutes=max_minutes, say=_say
        )
        return _label_answer(run)


def _source(images: Path | None, data: Path | None) -> "Path | CocoSet":
    """What is labelled: a folder, or the images of a set."""
    existing_folder(images, "--images")
    if data is not None:
        from nbhelpers.data import load_coco

        return load_coco(existing_file(data, "--data"), images)
    if images is None:
        raise BadInput("label: give --images, a folder, or --data, a COCO file")
    return images


def _names(path: Path, mode: str) -> tuple[str, ...]:
    """Class names in the order of their ids, from a mapping or a `.mode_config.json`."""
    from nbhelpers.artifacts import read_json
    from nbhelpers.teach.grounded_sam.classes import class_order

    if mode == "segmentation":
        raise BadInput(f"--class-mapping {path}: these teachers outline everything and know no classes")
    content = read_json(path)
    mapping = content.get("class_mapping", content) if isinstance(content, dict) else content
    if not isinstance(mapping, dict) or not all(isinstance(name, str) for name in mapping.values()):
        raise BadInput(f'{path}: must map category ids to names, such as {{"1": "box", "2": "cone"}}')
    return class_order(mapping)


def _label_answer(run: "LabelRun") -> Answer:
    from nbhelpers.runtime import size_text

    data = {
        "images": run.n_images,
        "annotations": run.n_annotations,
        "labelled": run.labelled,
        "resumed": run.resumed,
        "left": run.left,
        "unreadable": [{"file": name, "reason": reason} for name, reason in run.unreadable],
        "seconds": run.seconds,
        "images_per_second": run.images_per_second,
        "peak_bytes": run.peak_bytes,
        "paths": paths(labels=run.path, features=run.features),
    }
    text = (
        f"{run.n_annotations} labels on {run.n_images} images, {run.images_per_second:.1f} per second, "
        f"peak {size_text(run.peak_bytes)}\n{run.path}"
    )
    return Answer(data, text)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _settings(profile: str, given: dict[str, Any], overrides: list[str]) -> "Settings":
    from nbhelpers.settings import load_settings

    named = [f"{key}={value}" for key, value in given.items() if value is not None]
    return load_settings(profile, [*overrides, *named])


def _sets(
    data: Path, val: Path | None, images: Path | None, mode: str | None, settings: "Settings"
) -> "tuple[CocoSet, CocoSet, dict[str, Any]]":
    """What to learn from, what to choose by, and the mode configuration."""
    from nbhelpers.data import few_labels, labelled_share, mode_config

    train, held_out, config = _from_folder(data, val) if data.is_dir() else _from_files(data, val, images)
    share, reason = labelled_share(train, settings.data)
    few = few_labels(train, share, settings.data.seed).labelled
    _say(f"labels of {len(few.images)} of {len(train.images)} images: {reason}")
    if mode is not None or not config:
        config = mode_config(train, mode)  # type: ignore[arg-type]  # checked by the caller
    return few, held_out, config


def _from_folder(data: Path, val: Path | None) -> "tuple[CocoSet, CocoSet, dict[str, Any]]":
    from nbhelpers.data import load_prepared

    if val is not None:
        raise BadInput(
            f"--val {val}: {data} is a prepared folder with a part of its own for this; leave it out"
        )
    prepared = load_prepared(data)
    return prepared.part("train"), prepared.parts[prepared.held_out], prepared.mode_config


def _from_files(
    data: Path, val: Path | None, images: Path | None
) -> "tuple[CocoSet, CocoSet, dict[str, Any]]":
    from nbhelpers.artifacts import read_json
    from nbhelpers.data import load_coco

    existing_file(data, "--data")
    if val is None:
        raise BadInput("train-teacher: give --val, a COCO file to stop and choose thresholds by")
    existing_file(val, "--val")
    beside = data.parent / ".mode_config.json"
    config = read_json(beside) if beside.is_file() else {}
    return load_coco(data, images), load_coco(val, images), config


def _answer(teachers: "Teachers") -> Answer:
    from nbhelpers.runtime import size_text, text_table

    tuned = teachers.tuned.values()
    rows = [
        (one.name, one.base, f"{one.trainable / one.total:.2%}", _scores(one.before), _scores(one.after),
         "used" if one.helps else "left out", str(one.steps), one.stopped, f"{one.seconds:.0f} s",
         size_text(one.peak_bytes))
        for one in tuned
    ]  # fmt: skip
    header = ("teacher", "base", "trained", "before", "after", "adapter", "steps", "ended by", "time", "peak")
    thresholds = [f"{name} {value:.2f}" for name, value in teachers.record.thresholds.items()]
    lines = [text_table(rows, header)]
    lines += [f"thresholds: {', '.join(thresholds)}"] if thresholds else []
    data = {
        "mode": teachers.record.mode,
        "class_names": teachers.record.class_names,
        "thresholds": teachers.record.thresholds,
        "teachers": {one.name: {**vars(one), "helps": one.helps} for one in tuned},
        "reused": all(one.reused for one in tuned),
        "paths": paths(teachers=teachers.folder / "teachers.json", folder=teachers.folder),
    }
    return Answer(data, "\n\n".join([*lines, str(teachers.folder)]))


def _scores(scores: dict[str, dict[str, float]]) -> str:
    return ", ".join(f"{name} {found['value']:.3f}" for name, found in scores.items())
