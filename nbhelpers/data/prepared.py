"""A prepared set as it lies in its folder: load it, or make the embedded default."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nbhelpers.artifacts import read_json
from nbhelpers.data.coco import CocoSet, load_coco
from nbhelpers.data.marker import is_made_from, read_marker
from nbhelpers.data.modes import MODE_FILE, Mode
from nbhelpers.data.split import describe
from nbhelpers.data.validate import REPORT_FILE, Counts, Item, Report
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.settings import DataSection


@dataclass(frozen=True)
class Prepared:
    """A prepared set.

    Attributes:
        output: the folder, self-contained.
        parts: the sets by name (train, val ...), in the order of the split.
        report: what validation found and preparation did.
        mode: `detection`, `segmentation` or `detection_and_segmentation`.
        mode_config: content of `.mode_config.json`; empty where configurations were not asked for.
        groups: image ids that were kept together because they show the same content.
        counts: table rows, one per part: images, annotations, each class.
        placed: how many images were hard-linked, symlinked, copied, rewritten.
        inputs: what the set was made from: split, seed, strictness, hash of the document.
    """

    output: Path
    parts: dict[str, CocoSet]
    report: Report
    mode: Mode
    mode_config: dict[str, Any]
    groups: list[list[int]]
    counts: list[dict[str, Any]]
    placed: dict[str, int]
    inputs: dict[str, Any]

    @property
    def held_out(self) -> str:
        """The part to validate on: `val`, else `test`, else the last part."""
        return next((name for name in ("val", "test") if name in self.parts), list(self.parts)[-1])

    def part(self, name: str) -> CocoSet:
        """The part of this name.

        Raises:
            BadInput: the split has no such part.
        """
        if name not in self.parts:
            raise BadInput(
                f"{self.output.name}: there is no part {name!r} among {', '.join(self.parts)}; "
                f"prepare the set again with one, such as --split train:0.7,val:0.15,test:0.15"
            )
        return self.parts[name]


def load_prepared(folder: Path, cache_mib: float = 256) -> Prepared:
    """Open a folder that `prepare` finished.

    Raises:
        BadInput: the folder is not there, was not made by `prepare`, or its preparation was cut short.
    """
    folder = Path(folder)
    record = read_marker(folder)
    parts = {
        name: load_coco(folder / f"{name}.json", folder / "images", cache_mib) for name in record["parts"]
    }
    config = read_json(folder / MODE_FILE) if (folder / MODE_FILE).is_file() else {}
    report = _report(read_json(folder / REPORT_FILE))
    inputs = {key: record[key] for key in ("inputs", "placed")}
    return Prepared(
        folder, parts, report, cast(Mode, record["mode"]), config, record["groups"], describe(parts), **inputs
    )


def _report(content: Mapping[str, Any]) -> Report:
    def counts(kind: str) -> Counts:
        return Counts(*(content[kind][key] for key in ("kept", "repaired", "dropped")))

    return Report(
        path=Path(content["file"]),
        images=counts("images"),
        annotations=counts("annotations"),
        items=[Item(**item) for item in content["items"]],
        mode=content["mode"],
        strict=content["strict"],
        decode=content["decode"],
        statistics=content["statistics"],
    )


def default_set(output: Path, settings: "DataSection") -> Path:
    """Draw the embedded default (scenes that are there already are kept) and say where its JSON lies.

    Args:
        output: folder for `scenes.json` and its images.
        settings: `scenes`, `scene_size`, `seed` and `world` are used; scenes of another world are drawn
            again.
    """
    from nbhelpers.data.scenes import draw_scenes

    size = (settings.scene_size, settings.scene_size)
    draw_scenes(Path(output), settings.scenes, size, settings.seed, settings.world)
    return Path(output) / "scenes.json"


def prepared_or_default(folder: Path | None, settings: "DataSection", root: Path) -> Prepared:
    """The prepared set an earlier phase left, or the embedded default, drawn and prepared below `root`.

    Args:
        folder: a finished folder of `prepare`; None makes the default.
        settings: section `data`.
        root: where the default goes (`root/scenes`, `root/prepared`); one of equal settings is used again.

    Raises:
        BadInput: `folder` is given and is no finished prepared set.
    """
    if folder is not None:
        return load_prepared(folder, settings.cache_mib)
    from nbhelpers.data.prepare import prepare, wanted_inputs

    document, output = default_set(Path(root) / "scenes", settings), Path(root) / "prepared"
    wanted = wanted_inputs(document, settings.split, settings.seed, settings.strict)
    if is_made_from(output, wanted):
        return load_prepared(output, settings.cache_mib)
    return prepare(
        document,
        None,
        output,
        split=settings.split,
        strict=settings.strict,
        seed=settings.seed,
        decode="headers",
        cache_mib=settings.cache_mib,
    )
