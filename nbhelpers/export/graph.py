"""Reading ONNX graphs: what goes in, and which nodes belong to the decoding at the end."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbhelpers.errors import BadInput, CheckFailed

if TYPE_CHECKING:
    import onnx

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True)
class ImageInput:
    """The one input of a student's graph. `shape` holds numbers, or names of dimensions that may vary."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


def load_onnx(path: Path) -> "onnx.ModelProto":
    """Load an ONNX file with its weights.

    Raises:
        BadInput: there is no such file, or it is not an ONNX model.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if not Path(path).is_file():
        raise BadInput(f"{path}: there is no such file; export the student first")
    try:
        model = onnx.load(str(path))
    except DecodeError:
        raise BadInput(f"{path}: is not an ONNX model") from None
    if not model.graph.node:
        raise BadInput(f"{path}: is an ONNX file without a graph")
    return model


def image_inputs(model: "onnx.ModelProto") -> list[ImageInput]:
    """Everything the graph asks its caller for (not the initialisers that older files list as inputs)."""
    import onnx

    stored = {tensor.name for tensor in model.graph.initializer}
    found = []
    for value in model.graph.input:
        if value.name in stored:
            continue
        tensor = value.type.tensor_type
        dtype = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        shape = tuple(dim.dim_param or dim.dim_value for dim in tensor.shape.dim)
        found.append(ImageInput(value.name, dtype, shape))
    return found


def check_single_image_input(path: Path) -> ImageInput:
    """Prove from the graph that a student takes an image and nothing else: no prompt, no second tensor.

    Returns:
        The one input: float32, (batch, 3, height, width), its batch free.

    Raises:
        CheckFailed: another number of inputs, or one that is no batch of images; names what was found.
    """
    found = image_inputs(load_onnx(path))
    if len(found) != 1:
        names = ", ".join(value.name for value in found) or "none"
        raise CheckFailed(
            f"{path}: a student's graph has one image input, this one has {len(found)} ({names})"
        )
    image = found[0]
    square = (
        len(image.shape) == 4 and image.shape[1] == 3 and all(isinstance(n, int) for n in image.shape[2:])
    )
    if not square or image.dtype not in {"float", "float32"}:
        raise CheckFailed(
            f"{path}: input '{image.name}' is {image.dtype} {image.shape}; "
            "an image batch is float (N, 3, height, width)"
        )
    if isinstance(image.shape[0], int):
        raise CheckFailed(
            f"{path}: the batch of '{image.name}' is fixed at {image.shape[0]}; export it dynamic"
        )
    return ImageInput(image.name, "float32", image.shape)


def operator_counts(model: "onnx.ModelProto") -> dict[str, int]:
    """How often each operator occurs, most frequent first."""
    return dict(Counter(node.op_type for node in model.graph.node).most_common())


def reaching(model: "onnx.ModelProto", targets: Iterable[str]) -> set[str]:
    """Names of the nodes from which one of the `targets` (node names) can be reached downstream."""
    makers = {output: node for node in model.graph.node for output in node.output}
    nodes = {node.name: node for node in model.graph.node}
    seen: set[str] = set()
    waiting = [name for target in targets for name in nodes[target].input]
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is not None and maker.name not in seen:
            seen.add(maker.name)
            waiting.extend(maker.input)
    return seen


def decoding_nodes(model: "onnx.ModelProto") -> list[str]:
    """Nodes after the last learned layer: reshapes, softmax, box arithmetic, the output Concat.

    Chosen by topology, because exported names carry no layer numbers: everything from which no learned layer
    is reachable any more. The fixed product that takes the expectation over the box bins (a MatMul or Conv
    right after a Softmax, the DFL of Li et al. 2020) is decoding too.
    """
    learned = [
        node.name for node in model.graph.node if node.op_type in WEIGHTED and not _after_softmax(model, node)
    ]
    before = reaching(model, learned) | set(learned)
    return [node.name for node in model.graph.node if node.name not in before]


def head_convolutions(model: "onnx.ModelProto") -> list[str]:
    """The last learned layers: those from which no other learned layer is reachable."""
    learned = [
        node.name for node in model.graph.node if node.op_type in WEIGHTED and not _after_softmax(model, node)
    ]
    before = reaching(model, learned)
    return [name for name in learned if name not in before]


def _after_softmax(model: "onnx.ModelProto", node: "onnx.NodeProto") -> bool:
    """Whether a node's data input comes straight from a Softmax."""
    makers: dict[str, str] = defaultdict(str)
    makers.update({output: other.op_type for other in model.graph.node for output in other.output})
    return makers[node.input[0]] == "Softmax"


def check_tensorrt_quantization(path: Path) -> int:
    """Make sure that the Q/DQ nodes of a file, if any, are of the kind TensorRT takes: signed, zero point 0.

    Returns:
        How many QuantizeLinear and DequantizeLinear nodes there are; 0 for a float file.

    Raises:
        BadInput: unsigned or shifted zero points, or operators of dynamic quantisation; names node and mend.
    """
    import onnx
    from onnx import numpy_helper

    model = load_onnx(path)
    values = {tensor.name: tensor for tensor in model.graph.initializer}
    mend = "quantise for TensorRT: quantize_static(..., settings=TENSORRT)"
    count = 0
    for node in model.graph.node:
        if node.op_type in {"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"}:
            raise BadInput(
                f"{path}: node '{node.name}' is {node.op_type}, which TensorRT does not know; {mend}"
            )
        if node.op_type not in {"QuantizeLinear", "DequantizeLinear"}:
            continue
        count += 1
        zero = values.get(node.input[2]) if len(node.input) > 2 else None
        signed = zero is not None and zero.data_type == onnx.TensorProto.INT8
        if zero is None or not signed or bool(numpy_helper.to_array(zero).any()):
            raise BadInput(f"{path}: node '{node.name}' is not signed with zero point 0; {mend}")
    return count
