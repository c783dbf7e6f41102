"""How a static Q/DQ file is made, and the settings TensorRT needs."""

from dataclasses import dataclass
from typing import Literal

KeepFloat = Literal["decoding", "head", "none"]

# Operators of a student's body that ONNX Runtime has 8-bit kernels for. With only Conv quantised every
# activation goes to float32 and back between two convolutions; with these, 8-bit values flow through.
FLOW = ("Conv", "Mul", "Sigmoid", "Concat", "MaxPool", "Resize", "Add", "Split")
CONV = ("Conv",)


@dataclass(frozen=True)
class QuantizeSettings:
    """How a static Q/DQ file is made.

    Attributes:
        operators: operator types that get 8-bit inputs and outputs.
        keep_float: "decoding" leaves the box decoding after the last learned layers in float32, "head" those
            layers too, "none" nothing (boxes and scores then share one scale in the output Concat: AP 0).
        activations: "uint8" for CPUs (fast with 8-bit signed weights), "int8" for TensorRT.
        symmetric: activations around zero, as TensorRT demands (its zero points must be 0).
        per_channel: one weight scale per output channel.
        reduce_range: 7-bit weights, which keeps CPUs without VNNI from overflowing 16-bit sums.
        method: how ranges are taken from calibration: "minmax", "percentile" or "entropy".
        quantize_bias: biases as 32-bit integers; TensorRT wants them in float.
    """

    operators: tuple[str, ...] = FLOW
    keep_float: KeepFloat = "decoding"
    activations: Literal["uint8", "int8"] = "uint8"
    symmetric: bool = False
    per_channel: bool = True
    reduce_range: bool = False
    method: Literal["minmax", "percentile", "entropy"] = "minmax"
    quantize_bias: bool = True


# What TensorRT's explicit quantisation takes: signed, symmetric (zero points 0), biases in float, and no
# Q/DQ around operators it fuses by itself.
TENSORRT = QuantizeSettings(operators=CONV, activations="int8", symmetric=True, quantize_bias=False)
