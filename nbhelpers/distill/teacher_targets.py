"""What the teachers saw in each image, read from disk and laid over the student's inputs."""

import threading
import zipfile
from collections import OrderedDict
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from nbhelpers.artifacts import sha256_value
from nbhelpers.distill.alignment import TeacherMap, map_of_input
from nbhelpers.distill.outputs import Batch, Placement
from nbhelpers.errors import BadInput
from nbhelpers.teach.grounded_sam import load_features

if TYPE_CHECKING:
    from torch import Tensor

    from nbhelpers.data import CocoSet

STRIDE_PX = 16  # of the grid the maps are laid on: about what teachers have
_MIB = 2**20


class TeacherTargets:
    """From a batch to the batch with its `teacher_maps`; give it to `student_batches` as `teacher`.

    Args:
        features: folder of `<image_id>.npz` files, as `label_images(..., features=True)` leaves them.
        coco: the set the batches are made from; its images give the sizes.
        stride_px: pixels of the input between two places of the grid that the maps are brought to.
        cache_mib: bound of the maps kept in memory, MiB; the least used are read again.

    Attributes:
        channels: of each teacher's maps, by teacher.
        missing: ids of images no teacher looked at: they count as not seen.

    Raises:
        BadInput: there are no features of any image of the set, or a file is damaged.
    """

    def __init__(
        self, features: Path, coco: "CocoSet", *, stride_px: int = STRIDE_PX, cache_mib: float = 512
    ) -> None:
        self.folder, self.stride_px = Path(features), stride_px
        self._sizes = {int(image["id"]): (image["width"], image["height"]) for image in coco.images}
        found = {number for number in self._sizes if self._file(number).is_file()}
        if not found:
            raise BadInput(
                f"{self.folder}: holds no features of the images of {coco.path}; label them with features"
            )
        self.missing = sorted(self._sizes.keys() - found)
        self._present, self._lock = found, threading.Lock()
        self._held: OrderedDict[int, dict[str, TeacherMap]] = OrderedDict()
        self._bytes, self._limit = 0, cache_mib * _MIB
        self.channels = {name: len(one.values) for name, one in self.maps_of(min(found)).items()}

    def __call__(self, batch: Batch) -> Batch:
        """The batch with, by teacher, maps (B, C, S / stride, S / stride) and where they are valid."""
        size = batch.pixels.shape[-1]
        grid = (size // self.stride_px, size // self.stride_px)
        seen = [[(self.maps_of(place.image_id), place) for place in row] for row in batch.placements]
        maps = {name: self._stacked(name, seen, size, grid) for name in self.channels}
        return replace(batch, teacher_maps=maps)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what the files hold, by the checksums in their directories: nothing else is read."""
        marks = []
        for number in sorted(self._present):
            with zipfile.ZipFile(self._file(number)) as archive:
                marks.append([number, [[item.filename, item.CRC] for item in archive.infolist()]])
        return sha256_value([self.stride_px, marks])

    def _stacked(
        self,
        name: str,
        seen: list[list[tuple[dict[str, TeacherMap], Placement]]],
        size: int,
        grid: tuple[int, int],
    ) -> "tuple[Tensor, Tensor]":
        channels = self.channels[name]
        laid = [
            map_of_input([(maps[name], place) for maps, place in row if maps], channels, size, grid)
            for row in seen
        ]
        return torch.stack([values for values, _ in laid]), torch.stack([valid for _, valid in laid])

    def maps_of(self, image_id: int) -> dict[str, TeacherMap]:
        """The maps of one image by teacher, empty where no teacher looked; safe from several threads.

        Raises:
            BadInput: the file is damaged, or was written by other teachers than the rest.
        """
        if image_id not in self._present:
            return {}
        with self._lock:
            if image_id in self._held:
                self._held.move_to_end(image_id)
                return self._held[image_id]
        maps = self._read(image_id)
        with self._lock:
            self._keep(image_id, maps)
        return maps

    def _read(self, image_id: int) -> dict[str, TeacherMap]:
        path, size = self._file(image_id), self._sizes[image_id]
        maps = {
            name: TeacherMap(torch.from_numpy(one.map).half(), one.placed, size)
            for name, one in load_features(path).items()
        }
        channels = {name: len(one.values) for name, one in maps.items()}
        if not channels or channels != getattr(self, "channels", channels):
            raise BadInput(
                f"{path}: has maps of {channels or 'no teacher'}, other files of {self.channels}; "
                f"label the images again with one set of teachers"
            )
        return maps

    def _keep(self, image_id: int, maps: dict[str, TeacherMap]) -> None:
        size = _nbytes(maps)
        if image_id in self._held or size > self._limit:
            return
        self._held[image_id] = maps
        self._bytes += size
        while self._bytes > self._limit:
            self._bytes -= _nbytes(self._held.popitem(last=False)[1])

    def _file(self, image_id: int) -> Path:
        return self.folder / f"{image_id}.npz"


def _nbytes(maps: dict[str, TeacherMap]) -> int:
    return sum(one.values.nbytes for one in maps.values())
