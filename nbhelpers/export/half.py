"""fp16 ONNX: weights and activations in half precision, the box decoding and both ends in float32."""

import warnings
from typing import TYPE_CHECKING

from nbhelpers.export.graph import decoding_nodes

if TYPE_CHECKING:
    import onnx


def to_half(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """Convert a float32 student to float16 (the argument is not changed).

    Input and outputs stay float32, so that every engine is fed and read alike. The decoding stays float32
    too: float16 has steps of 0.25 to 0.5 px at coordinates of 320 to 640 px, and softmax in half precision
    is where TensorRT on a T4 was seen to go wrong (TensorRT#3999).
    """
    import onnx
    from onnxconverter_common.float16 import convert_float_to_float16

    source = onnx.ModelProto()
    source.CopyFrom(model)
    with warnings.catch_warnings():
        # It warns for each weight that float16 rounds to its smallest number.
        warnings.simplefilter("ignore")
        converted = convert_float_to_float16(
            source, keep_io_types=True, disable_shape_infer=False, node_block_list=decoding_nodes(model)
        )
    onnx.checker.check_model(converted)
    return converted
