"""Files that tell later phases about a set: the settings it demands."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import write_atomic

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet

SETTINGS_FILE = "settings.generated.yaml"
CALIBRATION_IMAGES = 64  # the profiles' own number


def generated_settings(
    parts: Mapping[str, "CocoSet"], config: Mapping[str, Any], *, spec: str | None, seed: int, strict: bool
) -> dict[str, dict[str, Any]]:
    """The settings that follow from the set, by phase; all else is left to the profile of the machine.

    Args:
        parts: the set's parts.
        config: content of `.mode_config.json`.
        spec: the ratio it was split by; None where it came split.
        seed: of the split.
        strict: whether warnings ended the preparation.
    """
    train = parts.get("train") or next(iter(parts.values()))
    settings: dict[str, dict[str, Any]] = {
        "data": {**({"split": spec} if spec else {}), "seed": seed, "strict": strict},
        "distill": {"student": config["recommended_student"]},
    }
    if len(train.images) < CALIBRATION_IMAGES:
        settings["export"] = {"calibration_images": len(train.images)}
    return settings


def write_settings(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Write `settings.generated.yaml`, which `load_settings(file=...)` lays over any profile."""
    import yaml

    head = "# Made from the data set by its preparation; lies over the profile of the machine.\n"
    body = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)
    return write_atomic(folder / SETTINGS_FILE, head + body)
