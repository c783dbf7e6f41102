"""Training images beside a student, for what is calibrated on them later: links, not copies."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet

FOLDER = "training_images"
_MOST = 1000  # a calibration takes fewer


def link_images(coco: "CocoSet", folder: Path) -> Path:
    """Link some images of a set, spread evenly over it, into `folder/training_images`, emptied before."""
    target = folder / FOLDER
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    step = -(-len(coco.images) // _MOST)
    for number, image in enumerate(coco.images[::step]):
        source = coco.image_path(image["id"]).resolve()
        _link(source, target / f"{number:07d}{source.suffix.lower()}")
    return target


def _link(source: Path, target: Path) -> None:
    """Point to the image instead of copying it; copy only where the file system has no links."""
    for make in (os.symlink, os.link):
        try:
            make(source, target)
        except OSError:
            continue
        return
    shutil.copyfile(source, target)
