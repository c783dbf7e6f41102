"""A student as one ONNX file: dynamic batch, folded constants, one image in, checked against torch."""

import contextlib
import copy
import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.artifacts import sha256_file, write_atomic
from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.export.card import ModelCard, card_of_student, write_card
from nbhelpers.export.graph import check_single_image_input, operator_counts

if TYPE_CHECKING:
    import onnx
    import torch

    from nbhelpers.distill import Student

INPUT_NAME = "image"
OUTPUT_NAMES = {"detect": ["predictions"], "segment": ["predictions", "prototypes"]}
# float32 sums in another order: relative 1e-6 of a coordinate of 640 px is about 6e-4 px.
TOLERANCE = {"float32": (1e-4, 1e-5), "float16": (0.25, 0.02)}


@dataclass(frozen=True)
class OnnxReport:
    """What was written and how far it is from torch: `max_difference` is absolute, per output."""

    path: Path
    opset: int
    precision: str
    image_input: str
    shape: tuple[int | str, ...]
    outputs: list[str]
    operators: dict[str, int]
    size_bytes: int
    sha256: str
    max_difference: dict[str, float]
    batches: list[int]
    seconds: float
    card: ModelCard


def export_onnx(
    student: "Student",
    path: Path,
    *,
    opset: int = 18,
    half: bool = False,
    batches: Sequence[int] = (1, 2, 5),
    images: np.ndarray | None = None,
) -> OnnxReport:
    """Export a student and prove that the file gives what torch gives.

    Args:
        student: any `distill.Student`; it is left as it was.
        path: where the single file goes; weights are inside, whatever their size up to ONNX's 2 GB.
        opset: ONNX operator set, 17 or newer.
        half: store and compute in float16, except the box decoding; input and outputs stay float32.
        batches: batch sizes the file is compared with torch on.
        images: (N, 3, size, size) float32 0..1 to compare on; noise when there are none.

    Raises:
        BadInput: opset below 17.
        CheckFailed: the file differs from torch by more than `TOLERANCE`, or takes more than one image.
    """
    if opset < 17:
        raise BadInput(f"opset {opset}: use 17 or newer")
    started = time.perf_counter()
    model = _trace(student, opset)
    card = card_of_student(student)
    if half:
        from nbhelpers.export.half import to_half

        model, card = to_half(model), card.changed(precision="float16")
    write_card(model, card)
    path = write_atomic(Path(path), model.SerializeToString())
    image = check_single_image_input(path)
    differences = differences_to_torch(student, path, batches, images)
    _accept(differences, card.precision, path)
    return OnnxReport(
        path=path,
        opset=opset,
        precision=card.precision,
        image_input=image.name,
        shape=image.shape,
        outputs=[value.name for value in model.graph.output],
        operators=operator_counts(model),
        size_bytes=path.stat().st_size,
        sha256=sha256_file(path),
        max_difference={name: found[0] for name, found in differences.items()},
        batches=list(batches),
        seconds=time.perf_counter() - started,
        card=card,
    )


def for_export(student: "Student") -> "Student":
    """A copy of a student for evaluation on the CPU, its batch norms folded into the convolutions."""
    clone = copy.deepcopy(student).cpu().float().eval()
    network: Any = clone.network
    if hasattr(network, "fuse"):
        clone.network = network.fuse(verbose=False)
    for module in clone.modules():
        if hasattr(module, "anchors") and hasattr(module, "shape"):
            # The head keeps the grid of the last batch it saw and compares batch sizes with it, which would
            # write that batch size into the graph.
            vars(module)["shape"] = None
    return clone


def _trace(student: "Student", opset: int) -> "onnx.ModelProto":
    """The graph of a student by `torch.export`, its batch free."""
    import torch

    clone = for_export(student)
    # Two images: a batch of one would be taken for a constant.
    example = torch.zeros(2, 3, clone.image_size, clone.image_size)
    with _quiet():
        program = torch.onnx.export(
            clone,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=[INPUT_NAME],
            output_names=OUTPUT_NAMES[clone.task],
            opset_version=opset,
            dynamic_shapes={INPUT_NAME: {0: torch.export.Dim("batch", min=1)}},
            external_data=False,
            optimize=True,
        )
    if program is None:
        raise CheckFailed("torch.onnx gave no program")
    model = program.model_proto
    _drop_traces(model)
    return model


def _drop_traces(model: "onnx.ModelProto") -> None:
    """Remove the exporter's stack traces from the file: they hold paths of the machine."""
    graph = model.graph
    for item in [graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]:
        del item.metadata_props[:]
        if hasattr(item, "doc_string"):
            item.doc_string = ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's progress lines, and its warnings about attributes of a copy we throw away."""
    names = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir", "onnxruntime")
    levels = {name: logging.getLogger(name).level for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


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


def _accept(differences: dict[str, tuple[float, float]], precision: str, path: Path) -> None:
    absolute, relative = TOLERANCE[precision]
    for name, (difference, scale) in differences.items():
        if not difference <= absolute + relative * scale:
            raise CheckFailed(
                f"{path}: output '{name}' differs from torch by {difference:.3g} at values up to {scale:.3g}"
            )
