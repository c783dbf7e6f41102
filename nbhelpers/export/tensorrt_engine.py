"""Running a TensorRT engine with torch CUDA tensors as its buffers."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.artifacts import sha256_file
from nbhelpers.errors import BadInput, CheckFailed, Unavailable
from nbhelpers.export.engines import BaseEngine
from nbhelpers.export.manifest import read_manifest
from nbhelpers.export.tensorrt_machine import tensorrt_status

if TYPE_CHECKING:
    import torch


class TensorRTEngine(BaseEngine):
    """An engine file and its manifest, on one GPU."""

    def __init__(self, path: Path, device: str = "cuda:0") -> None:
        status = tensorrt_status()
        if status.value != "ready":
            raise Unavailable(f"{path}: {status.reason}")
        self.manifest = read_manifest(path)
        if sha256_file(path) != self.manifest.engine_sha256:
            raise BadInput(f"{path}: is not the engine its manifest describes; build it again")
        super().__init__("tensorrt", self.manifest.card, Path(path), status)
        self.device, self._trt = device, import_module("tensorrt")
        # The logger must outlive the runtime, and the runtime the engine.
        self._logger = self._trt.Logger(self._trt.Logger.ERROR)
        self._runtime = self._trt.Runtime(self._logger)
        self._engine = self._runtime.deserialize_cuda_engine(Path(path).read_bytes())
        if self._engine is None:
            raise CheckFailed(
                f"{path}: TensorRT {self._trt.__version__} cannot read it; it was built with "
                f"{self.manifest.tensorrt} for {self.manifest.gpu}: build it again here"
            )
        self._context = self._engine.create_execution_context()
        self._outputs = _output_names(self._trt, self._engine)

    def run(self, batch: np.ndarray) -> list[np.ndarray]:
        """Raw float32 outputs of (N, 3, size, size) float32 RGB 0..1; large batches are cut to fit."""
        least, _, largest = self.manifest.batches
        if len(batch) < least:
            raise BadInput(f"{self.path}: was built for batches from {least}; this one has {len(batch)}")
        parts = [self._run_part(batch[start : start + largest]) for start in range(0, len(batch), largest)]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _run_part(self, batch: np.ndarray) -> list[np.ndarray]:
        """One call of the engine: bind the input, let it say its output shapes, bind those, run, wait."""
        import torch

        images = torch.from_numpy(np.ascontiguousarray(batch, np.float32)).to(self.device)
        if not self._context.set_input_shape(self.manifest.input_name, tuple(images.shape)):
            raise BadInput(f"{self.path}: was not built for an input of shape {tuple(images.shape)}")
        self._context.set_tensor_address(self.manifest.input_name, images.data_ptr())
        outputs = [self._bound_output(name) for name in self._outputs]
        stream = _stream(self.device)
        if not self._context.execute_async_v3(stream.cuda_stream):
            raise CheckFailed(f"{self.path}: TensorRT could not run the engine")
        stream.synchronize()
        return [tensor.float().cpu().numpy() for tensor in outputs]

    def _bound_output(self, name: str) -> "torch.Tensor":
        """A tensor on the GPU that the engine will write its output `name` into."""
        import torch

        dtype = _torch_dtype(self._trt, self._engine.get_tensor_dtype(name))
        tensor = torch.empty(tuple(self._context.get_tensor_shape(name)), dtype=dtype, device=self.device)
        self._context.set_tensor_address(name, tensor.data_ptr())
        return tensor


def _output_names(trt: Any, engine: Any) -> list[str]:
    """Names of the outputs, in the order of the graph."""
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    return [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.OUTPUT]


def _torch_dtype(trt: Any, dtype: Any) -> "torch.dtype":
    """The torch dtype of an engine's tensor."""
    import torch

    known = {trt.DataType.FLOAT: torch.float32, trt.DataType.HALF: torch.float16}
    if dtype not in known:
        raise BadInput(f"an output of TensorRT type {dtype} cannot be read; students give float32 or float16")
    return known[dtype]


def _stream(device: str) -> "torch.cuda.Stream":
    """A stream of its own: TensorRT warns about, and slows down on, the default one."""
    import torch

    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    return stream
