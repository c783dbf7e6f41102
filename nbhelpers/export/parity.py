"""Does an exported file give what torch gives: the same batches through both."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbhelpers.errors import CheckFailed

if TYPE_CHECKING:
    import torch

    from nbhelpers.distill import Student

# Absolute, and relative to the largest value torch gives. float32 sums in another order: 1e-6 of a coordinate
# of 640 px is about 6e-4 px.
TOLERANCE = {"float32": (1e-4, 1e-5), "float16": (0.25, 0.005)}


def torch_outputs(student: "Student", batch: "torch.Tensor") -> list[np.ndarray]:
    """The raw outputs of a student as float32 arrays, whether it gives one tensor or two."""
    import torch

    with torch.inference_mode():
        raw = student(batch)
    return [tensor.float().cpu().numpy() for tensor in (raw if isinstance(raw, tuple) else (raw,))]


def differences_to_torch(
    student: "Student", path: Path, batches: Sequence[int], images: np.ndarray | None = None
) -> dict[str, tuple[float, float]]:
    """Per output, the largest absolute difference to torch over all batches, and torch's largest value."""
    import torch

    from nbhelpers.export.session import cpu_session

    session = cpu_session(path)
    names = [value.name for value in session.get_outputs()]
    reference = copy.deepcopy(student).cpu().float().eval()
    worst = dict.fromkeys(names, (0.0, 0.0))
    for count in batches:
        batch = _some_images(count, student.image_size, images)
        for name, ours, theirs in zip(
            names,
            session.run(None, {session.get_inputs()[0].name: batch}),
            torch_outputs(reference, torch.from_numpy(batch)),
            strict=True,
        ):
            difference, scale = worst[name]
            worst[name] = (
                max(difference, float(np.abs(ours - theirs).max())),
                max(scale, float(np.abs(theirs).max())),
            )
    return worst


def _some_images(count: int, size: int, images: np.ndarray | None) -> np.ndarray:
    """A batch of `count` images (count, 3, size, size): the given ones, repeated as needed, or noise."""
    if images is None:
        return np.random.default_rng(count).random((count, 3, size, size), dtype=np.float32)
    return np.ascontiguousarray(images[np.arange(count) % len(images)], np.float32)


def accept(differences: dict[str, tuple[float, float]], precision: str, path: Path) -> None:
    """Raise `CheckFailed` when an output differs by more than `TOLERANCE` of its precision."""
    absolute, relative = TOLERANCE[precision]
    for name, (difference, scale) in differences.items():
        if not difference <= absolute + relative * scale:
            raise CheckFailed(
                f"{path}: output '{name}' differs from torch by {difference:.3g} at values up to {scale:.3g}"
            )
