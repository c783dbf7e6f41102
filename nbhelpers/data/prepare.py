"""The whole way of a set: validate, complete, gather images, find copies, split, describe, write."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nbhelpers.artifacts import sha256_file, write_json
from nbhelpers.data.accounts import (
    completion_items,
    copy_items,
    empty_part_items,
    missing_class_items,
    placement_items,
    with_items,
)
from nbhelpers.data.complete import complete_with_changes
from nbhelpers.data.configs import SETTINGS_FILE, generated_settings, write_settings
from nbhelpers.data.given_parts import leak_items, read_parts
from nbhelpers.data.image_files import Placed, count_ways, place_images
from nbhelpers.data.marker import begin, finish, remove_old
from nbhelpers.data.modes import MODE_FILE, Mode, mode_config, write_mode_config
from nbhelpers.data.near_duplicates import near_duplicates
from nbhelpers.data.prepared import Prepared
from nbhelpers.data.split import describe, parse_split, split
from nbhelpers.data.statistics import statistics
from nbhelpers.data.validate import REPORT_FILE, Report, validate
from nbhelpers.errors import BadInput, CheckFailed

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet
    from nbhelpers.data.validate.chain import Decode


@dataclass
class _Work:
    """A set on its way, with the account of what was done to it."""

    coco: "CocoSet"
    report: Report
    mode: Mode
    placed: list[Placed] = field(default_factory=list)
    groups: list[list[int]] = field(default_factory=list)
    parts: dict[str, "CocoSet"] = field(default_factory=dict)
    names: dict[int, str] | None = None


def prepare(
    data: Path | Mapping[str, Path],
    images: Path | None,
    output: Path,
    *,
    split: str = "train:0.7,val:0.15,test:0.15",
    strict: bool = False,
    seed: int = 0,
    generate_configs: bool = True,
    decode: "Decode" = "full",
    groups: Iterable[Iterable[int]] | None = None,
    copy: bool = False,
    cache_mib: float = 256,
) -> Prepared:
    """Make a clean, split, self-contained set of a COCO file.

    The output folder holds one JSON per part, `images/`, `statistics.json`, `validation_report.json` and,
    with `generate_configs`, `.mode_config.json` and `settings.generated.yaml`. The same input gives the same
    bytes. While files are being written the folder counts as unfinished (`load_prepared` refuses it), and a
    run that was cut short is finished by the next. The report is written too where a check fails. A part for
    which there is no image is left out, with a warning.

    Args:
        data: the COCO JSON; or, for a set that comes split, part names and the JSON of each. Such parts are
            kept; copies of an image in two of them are warned of.
        images: folder of its images; None looks beside the JSON and in `images/` there.
        output: the folder to make; not the one the set lies in.
        split: parts and shares, see `parse_split`; not used for parts that are given.
        strict: warnings of the validation end it.
        seed: of the split.
        generate_configs: write the two configuration files.
        decode: how far images are looked at, `none`, `headers` or `full` (finds files that are cut short).
        groups: image ids that must stay in one part, besides near-duplicates, which always do.
        copy: copy images rather than link them.
        cache_mib: bound of the cache of decoded images of each part, MiB.

    Raises:
        BadInput: no COCO document, a split that cannot be read, an unreadable image (unless `decode` is
            `full`, which drops it), or an output folder that holds the input.
        CheckFailed: nothing usable is left, or `strict` and there are warnings.
    """
    output = Path(output)
    parse_split(split)
    _guard([*data.values()] if isinstance(data, Mapping) else [Path(data)], images, output)
    work = _checked(data, images, strict, decode, output)
    _divide(work, split, seed, list(groups or []))
    _require_ok(work.report, output)
    before = begin(output, list(work.parts))
    _gather(work, output / "images", copy)
    inputs = wanted_inputs(data, split, seed, strict)
    config = mode_config(work.coco, work.mode) if generate_configs else {}
    _write(work, output, inputs, config)
    remove_old(output, before, list(work.parts), [item.file_name for item in work.placed])
    _finish(work, output, inputs)
    parts = {name: replace(part, cache_mib=cache_mib) for name, part in work.parts.items()}
    return Prepared(
        output=output,
        parts=parts,
        report=work.report,
        mode=work.mode,
        mode_config=config,
        groups=work.groups,
        counts=describe(parts),
        placed=count_ways(work.placed),
        inputs=inputs,
    )


def wanted_inputs(data: Path | Mapping[str, Path], split: str, seed: int, strict: bool) -> dict[str, Any]:
    """What a prepared folder was made from; equal inputs need no second preparation."""
    if isinstance(data, Mapping):
        documents = {name: sha256_file(Path(path)) for name, path in data.items()}
        return {"document": documents, "split": None, "seed": seed, "strict": strict}
    return {"document": sha256_file(Path(data)), "split": split, "seed": seed, "strict": strict}


def _guard(files: Iterable[Path], images: Path | None, output: Path) -> None:
    """Refuse to write over the set itself."""
    target = output.resolve()
    if output.exists() and not output.is_dir():
        raise BadInput(f"{output}: is a file; name a folder for the prepared set")
    for place in (*files, images):
        if place and Path(place).resolve().is_relative_to(target):
            raise BadInput(f"{output}: holds the input {place}; name another output folder")


def _checked(
    data: Path | Mapping[str, Path], images: Path | None, strict: bool, decode: "Decode", output: Path
) -> _Work:
    """Validate, stop where that forbids to go on, complete."""
    if isinstance(data, Mapping):
        given = read_parts(data, images, strict=strict, decode=decode)
        coco, report = given.coco, given.report
    else:
        given, checked = None, validate(Path(data), images, strict=strict, decode=decode)
        coco, report = checked.coco, checked.report
    report.statistics = statistics(coco).to_dict()
    _require_ok(report, output)
    work = _completed(coco, report)
    if given:
        work.names = given.names
        work.parts = {name: work.coco.subset(ids) for name, ids in given.parts.items()}
    return work


def _require_ok(report: Report, output: Path) -> None:
    """Stop, with the report on disk, where nothing is left to use or strictness forbids to go on."""
    if report.ok:
        return
    path = report.write(output / REPORT_FILE)
    if not (report.images.usable and report.annotations.usable):
        raise CheckFailed(
            f"{report.path}: no image or no annotation is left to use; see {path} for the reasons"
        )
    found = report.count("error") + report.count("warning")
    raise CheckFailed(
        f"{report.path}: {found} errors and warnings, and --strict was asked for; see {path}, mend them, or "
        "leave --strict out to have them repaired"
    )


def _completed(coco: "CocoSet", report: Report) -> _Work:
    """Boxes and areas from the masks; the mode is recorded first, because made boxes would hide it."""
    done, changes = complete_with_changes(coco)
    mode = cast(Mode, report.mode)
    names = {image["id"]: image["file_name"] for image in coco.images}
    done = replace(done, info={**coco.info, "annotation_mode": mode})
    return _Work(done, with_items(report, completion_items(changes, names, str(report.path.name))), mode)


def _gather(work: _Work, folder: Path, copy: bool) -> None:
    """Bring the images into the output folder."""
    work.coco, work.placed = place_images(work.coco, folder, copy, work.names)
    work.parts = {name: work.coco.subset(part.image_ids) for name, part in work.parts.items()}
    work.report = with_items(work.report, placement_items(work.placed))


def _divide(work: _Work, spec: str, seed: int, groups: list[Iterable[int]]) -> None:
    """Split, keeping copies of one image together; or look for copies across the parts that were given."""
    copies, file = near_duplicates(work.coco), work.report.path.name
    work.groups = [sorted(group) for group in copies]
    if work.parts:
        items = leak_items(work.parts, work.groups, file)
    else:
        work.parts = split(work.coco, spec, seed, [*copies, *groups], allow_fewer=True)
        items = copy_items(work.groups, file) + empty_part_items(parse_split(spec), work.parts, file)
    work.report = with_items(work.report, [*items, *missing_class_items(work.parts, file)])


def _write(work: _Work, output: Path, inputs: dict[str, Any], config: dict[str, Any]) -> None:
    """Write the parts, the numbers, the configurations and the report."""
    numbers = statistics(work.coco).to_dict()
    for name, part in work.parts.items():
        part.path = part.save(output / f"{name}.json")
    write_json(output / "statistics.json", {**numbers, "parts": describe(work.parts)})
    for name in (MODE_FILE, SETTINGS_FILE) if not config else ():
        (output / name).unlink(missing_ok=True)
    if config:
        write_mode_config(output, config)
        spec = {key: inputs[key] for key in ("seed", "strict")}
        write_settings(output, generated_settings(work.parts, config, spec=inputs["split"], **spec))
    work.report.statistics = numbers
    work.report.write(output / REPORT_FILE)


def _finish(work: _Work, output: Path, inputs: dict[str, Any]) -> None:
    """Mark the folder as finished, with what `load_prepared` needs besides the files."""
    images = sorted(item.file_name for item in work.placed)
    record: dict[str, Any] = {"parts": list(work.parts), "mode": work.mode, "groups": work.groups}
    placed = count_ways(work.placed)
    finish(output, {**record, "inputs": inputs, "placed": placed, "images": images})
