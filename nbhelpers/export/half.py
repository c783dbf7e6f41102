"""fp16 ONNX: weights and activations in half precision, the box decoding and both ends in float32.

`onnxconverter_common.float16` was tried first: with nodes blocked next to the outputs it casts those outputs
back to half, and rounds between blocked nodes. Here the graph is cut once, where the decoding begins.
"""

from typing import TYPE_CHECKING

from nbhelpers.errors import CheckFailed
from nbhelpers.export.graph import decoding_nodes

if TYPE_CHECKING:
    import onnx

# Inputs that ONNX wants in float32 whatever the data's type: Resize's region and scales.
_ALWAYS_FLOAT = {"Resize": (1, 2)}


def to_half(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """Convert a float32 student to float16 (the argument is not changed).

    Input and outputs stay float32, so that every engine is fed and read alike. The decoding stays float32
    too: float16 has steps of 0.25 to 0.5 px at coordinates of 320 to 640 px, and softmax in half precision
    is where TensorRT on a T4 was seen to go wrong (TensorRT#3999).

    Raises:
        CheckFailed: a weight is too large for float16, or the result is no valid graph.
    """
    import onnx

    half = onnx.ModelProto()
    half.CopyFrom(model)
    graph, decoding = half.graph, set(decoding_nodes(model))
    body = [node for node in graph.node if node.name not in decoding]
    _weights_to_half(graph, body)
    _cast_inputs(graph, body)
    _cast_into(graph, body, [node for node in graph.node if node.name in decoding])
    del graph.value_info[:]  # they hold the old types; full_check infers them anew
    try:
        onnx.checker.check_model(half, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = str(error).splitlines()[0]
        raise CheckFailed(f"the student cannot be converted to float16 ({reason})") from None
    return half


def _weights_to_half(graph: "onnx.GraphProto", body: list["onnx.NodeProto"]) -> None:
    """Give the body float16 copies of its float32 initialisers, and drop those nobody reads any more."""
    import numpy as np
    from onnx import TensorProto, numpy_helper

    stored = {tensor.name: tensor for tensor in graph.initializer}
    made: set[str] = set()
    for node in body:
        for index, name in enumerate(node.input):
            tensor = stored.get(name)
            if tensor is None or tensor.data_type != TensorProto.FLOAT:
                continue
            if index in _ALWAYS_FLOAT.get(node.op_type, ()):
                continue
            if name not in made:
                values = numpy_helper.to_array(tensor)
                if values.size and np.abs(values).max() > np.finfo(np.float16).max:
                    raise CheckFailed(f"weight '{name}' is larger than float16 can hold (65504)")
                graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
                made.add(name)
            node.input[index] = f"{name}_half"
    read = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _cast_inputs(graph: "onnx.GraphProto", body: list["onnx.NodeProto"]) -> None:
    """Cast the image to float16 once, in front of the body."""
    from onnx import TensorProto, helper

    for value in reversed(graph.input):
        _rename_inputs(body, value.name, f"{value.name}_half")
        cast = helper.make_node(
            "Cast", [value.name], [f"{value.name}_half"], f"cast_{value.name}", to=TensorProto.FLOAT16
        )
        graph.node.insert(0, cast)


def _cast_into(
    graph: "onnx.GraphProto", body: list["onnx.NodeProto"], decoding: list["onnx.NodeProto"]
) -> None:
    """Cast to float32 what the decoding reads from the body, each tensor once and right after it is made."""
    from onnx import TensorProto, helper

    wanted = {name for node in decoding for name in node.input}
    places = {output: index for index, node in enumerate(graph.node) for output in node.output}
    crossing = sorted(
        (name for node in body for name in node.output if name in wanted), key=places.__getitem__
    )
    for name in reversed(crossing):  # from the back, so that earlier places stay right
        _rename_inputs(decoding, name, f"{name}_single")
        cast = helper.make_node("Cast", [name], [f"{name}_single"], f"cast_{name}", to=TensorProto.FLOAT)
        graph.node.insert(places[name] + 1, cast)


def _rename_inputs(nodes: list["onnx.NodeProto"], old: str, new: str) -> None:
    for node in nodes:
        for index, name in enumerate(node.input):
            if name == old:
                node.input[index] = new
