"""Notebook 09: the student as ONNX, fp16, INT8 and TensorRT, each measured against torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.export.bench import EngineRow, compare
    from nbhelpers.export.card import ModelCard, read_card
    from nbhelpers.export.engines import Engine, OnnxEngine, TorchEngine, open_engine
    from nbhelpers.export.figure import plot_speed_accuracy
    from nbhelpers.export.graph import ImageInput, check_single_image_input
    from nbhelpers.export.onnx import OnnxReport, export_onnx
    from nbhelpers.export.processor import int8_support
    from nbhelpers.export.quantize import quantize_dynamic, quantize_static
    from nbhelpers.export.quantize_settings import TENSORRT, QuantizeSettings
    from nbhelpers.export.search import CANDIDATES, Int8Search, quantize_best
    from nbhelpers.export.tensorrt import EngineBuild, EnginePlan, build_engine, plan_engine
    from nbhelpers.export.tensorrt_machine import tensorrt_status
    from nbhelpers.export.verdict import Int8Verdict, int8_verdict

_HOME = {
    "EngineRow": "bench",
    "compare": "bench",
    "plot_speed_accuracy": "figure",
    "ModelCard": "card",
    "read_card": "card",
    "Engine": "engines",
    "OnnxEngine": "engines",
    "TorchEngine": "engines",
    "open_engine": "engines",
    "ImageInput": "graph",
    "check_single_image_input": "graph",
    "OnnxReport": "onnx",
    "export_onnx": "onnx",
    "QuantizeSettings": "quantize_settings",
    "TENSORRT": "quantize_settings",
    "CANDIDATES": "search",
    "Int8Search": "search",
    "quantize_best": "search",
    "EngineBuild": "tensorrt",
    "EnginePlan": "tensorrt",
    "build_engine": "tensorrt",
    "plan_engine": "tensorrt",
    "tensorrt_status": "tensorrt_machine",
    "quantize_dynamic": "quantize",
    "quantize_static": "quantize",
    "int8_support": "processor",
    "Int8Verdict": "verdict",
    "int8_verdict": "verdict",
}

__all__ = [
    "EngineRow",
    "compare",
    "plot_speed_accuracy",
    "ModelCard",
    "read_card",
    "Engine",
    "OnnxEngine",
    "TorchEngine",
    "open_engine",
    "ImageInput",
    "check_single_image_input",
    "OnnxReport",
    "export_onnx",
    "QuantizeSettings",
    "TENSORRT",
    "CANDIDATES",
    "Int8Search",
    "quantize_best",
    "EngineBuild",
    "EnginePlan",
    "build_engine",
    "plan_engine",
    "tensorrt_status",
    "quantize_dynamic",
    "quantize_static",
    "int8_support",
    "Int8Verdict",
    "int8_verdict",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the modules below bring heavy libraries."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
