"""INT8 versions of an exported student: dynamic, and static Q/DQ with calibration on real images."""

import contextlib
import io
import logging
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import sha256_file, write_atomic
from nbhelpers.errors import BadInput
from nbhelpers.export.calibration import CalibrationReader
from nbhelpers.export.card import ModelCard, read_card, write_card
from nbhelpers.export.graph import check_single_image_input, decoding_nodes, head_convolutions, load_onnx
from nbhelpers.export.quantize_settings import CONV, KeepFloat, QuantizeSettings

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class QuantizeReport:
    """What quantisation wrote. `kept_float`: nodes left in float32; `images`: calibration images."""

    path: Path
    settings: QuantizeSettings | None
    images: int
    quantized_nodes: int
    kept_float: list[str]
    size_bytes: int
    sha256: str
    seconds: float


def quantize_dynamic(path: Path, out: Path) -> QuantizeReport:
    """8-bit weights, activation ranges found at every call; needs no calibration images.

    On a CPU this is usually slower than float32 for convolutions (`ConvInteger` finds the range of each input
    first); it is made to be compared.

    Raises:
        BadInput: `path` is not an ONNX file of this package.
    """
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization import quantize_dynamic as ort_dynamic

    started = time.perf_counter()
    card = _float_card(path)
    with _prepared(path) as source, _quiet():
        target = source.with_name("dynamic.onnx")
        kept = kept_nodes(load_onnx(source), "decoding")
        # ConvInteger takes unsigned weights only on the CPU.
        ort_dynamic(
            source,
            target,
            weight_type=QuantType.QUInt8,
            op_types_to_quantize=list(CONV),
            nodes_to_exclude=kept,
        )
        model = load_onnx(target)
    write_card(model, card.changed(precision="int8-dynamic", notes={"operators": list(CONV)}))
    return _finish(model, out, None, 0, kept, started)


def quantize_static(
    path: Path,
    out: Path,
    calibration: Any,
    keep_float: KeepFloat = "decoding",
    *,
    settings: QuantizeSettings | None = None,
    limit: int | None = 64,
) -> QuantizeReport:
    """8-bit weights and activations with fixed scales, written as Q/DQ nodes around float operators.

    Args:
        path: float32 ONNX file of `export_onnx`.
        out: the quantised file.
        calibration: a `data.CocoSet`, or arrays (H, W, 3) uint8 RGB or image paths; never the images AP is
            reported on.
        keep_float: what stays float32, see `QuantizeSettings`; used when `settings` is not given.
        settings: everything else.
        limit: calibration images used at most.

    Raises:
        BadInput: not an ONNX file of this package, or no calibration images.
    """
    started = time.perf_counter()
    chosen = settings or QuantizeSettings(keep_float=keep_float)
    card = _float_card(path)
    image = check_single_image_input(path)
    reader = CalibrationReader(calibration, card.image_size, image.name, limit)
    with _prepared(path) as source:
        kept = kept_nodes(load_onnx(source), chosen.keep_float)
        model = _static(source, reader, chosen, kept)
    notes = {**asdict(chosen), "calibration_images": reader.count}
    write_card(model, card.changed(precision="int8-static", notes=notes))
    return _finish(model, out, chosen, reader.count, kept, started)


def _float_card(path: Path) -> ModelCard:
    """The card of a file that can be quantised."""
    card = read_card(path)
    if card.precision != "float32":
        raise BadInput(f"{path}: is {card.precision}; quantise the float32 file")
    return card


def kept_nodes(model: "onnx.ModelProto", keep_float: KeepFloat) -> list[str]:
    """Names of the nodes left in float32."""
    if keep_float == "none":
        return []
    decoding = decoding_nodes(model)
    return decoding if keep_float == "decoding" else decoding + head_convolutions(model)


def _static(
    source: Path, reader: CalibrationReader, settings: QuantizeSettings, kept: list[str]
) -> "onnx.ModelProto":
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType
    from onnxruntime.quantization import quantize_static as ort_static

    methods = {"minmax": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}
    target = source.with_name("static.onnx")
    with _quiet():
        ort_static(
            source,
            target,
            reader,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(settings.operators),
            nodes_to_exclude=kept,
            per_channel=settings.per_channel,
            reduce_range=settings.reduce_range,
            activation_type=QuantType.QUInt8 if settings.activations == "uint8" else QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod[methods[settings.method]],
            extra_options={"ActivationSymmetric": settings.symmetric, "QuantizeBias": settings.quantize_bias},
        )
    return load_onnx(target)


@contextlib.contextmanager
def _prepared(path: Path) -> Iterator[Path]:
    """A copy of the model, shapes inferred and constants folded, in a folder that goes away afterwards."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="nbhelpers-int8-") as folder:
        source = Path(folder) / "prepared.onnx"
        with _quiet():
            # Symbolic inference gives up on the free batch; with fixed height and width ONNX's own is enough.
            quant_pre_process(str(path), str(source), skip_symbolic_shape=True)
        yield source


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence ONNX Runtime's advice to do what `_prepared` has done, and what its calibrators print."""
    before = logging.root.manager.disable
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


def _finish(
    model: "onnx.ModelProto",
    out: Path,
    settings: QuantizeSettings | None,
    images: int,
    kept: list[str],
    started: float,
) -> QuantizeReport:
    """Write the file whole or not at all, prove its single input, and count what became 8-bit."""
    path = write_atomic(Path(out), model.SerializeToString())
    check_single_image_input(path)
    return QuantizeReport(
        path=path,
        settings=settings,
        images=images,
        quantized_nodes=_quantized(model),
        kept_float=kept,
        size_bytes=path.stat().st_size,
        sha256=sha256_file(path),
        seconds=time.perf_counter() - started,
    )


def _quantized(model: "onnx.ModelProto") -> int:
    """How many nodes compute on 8-bit inputs: integer operators, or operators fed by a DequantizeLinear."""
    makers = {output: node.op_type for node in model.graph.node for output in node.output}
    plumbing = ("QuantizeLinear", "DequantizeLinear")
    return sum(
        node.op_type == "ConvInteger"
        or (
            node.op_type not in plumbing
            and makers.get(node.input[0] if node.input else "") == "DequantizeLinear"
        )
        for node in model.graph.node
    )
