"""A student as one ONNX file: dynamic batch, folded constants, one image in, checked against torch."""

import contextlib
import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbhelpers.artifacts import sha256_file, write_atomic
from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.export.card import ModelCard, card_of_student, write_card
from nbhelpers.export.graph import check_single_image_input, operator_counts
from nbhelpers.export.parity import accept, differences_to_torch
from nbhelpers.export.rewrite import for_export

if TYPE_CHECKING:
    import onnx

    from nbhelpers.distill import Student

INPUT_NAME = "image"
OUTPUT_NAMES = {"detect": ["predictions"], "segment": ["predictions", "prototypes"]}


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
    accept(differences, card.precision, path)
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
    if opset < 18:
        _split_evenly(model)
    return model


def _split_evenly(model: "onnx.ModelProto") -> None:
    """Make Split valid below opset 18, where equal parts are the default and `num_outputs` is unknown.

    The exporter thinks in opset 18 and leaves that attribute when it converts down.
    """
    for node in model.graph.node:
        kept = [attribute for attribute in node.attribute if attribute.name != "num_outputs"]
        if node.op_type == "Split":
            del node.attribute[:]
            node.attribute.extend(kept)


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
