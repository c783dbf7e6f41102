"""A stand-in for the `tensorrt` package that records calls and has, per generation, only what that one has.

Engines it "builds" hold the ONNX file; running one runs that file on the CPU and writes the results to the
addresses it was given, as the real one does on a GPU. What TensorRT 11 removed is not here: using it fails.
"""

import ctypes
import types
from pathlib import Path

import numpy as np

MAGIC = b"fake-engine:"


class Enum:
    """Members that are integers, and nothing else."""

    def __init__(self, **members: int) -> None:
        self.__dict__.update(members)


class Logger:
    ERROR, WARNING = 1, 2

    def __init__(self, severity: int) -> None:
        self.severity = severity


class Network:
    def __init__(self, flags: int) -> None:
        self.flags, self.onnx = flags, b""


class Parser:
    def __init__(self, network: Network, logger: Logger) -> None:
        self._network, self.num_errors = network, 0

    def parse_from_file(self, path: str) -> bool:
        self._network.onnx = Path(path).read_bytes()
        if b"refuse-me" in self._network.onnx:
            self.num_errors = 1
            return False
        return True

    def get_error(self, index: int) -> str:
        return "In node 3: unsupported operator"


class Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple] = {}

    def set_shape(self, name: str, least: tuple, best: tuple, largest: tuple) -> None:
        self.shapes[name] = (least, best, largest)


class Config:
    def __init__(self) -> None:
        self.limits: dict[int, int] = {}
        self.profiles: list[Profile] = []

    def set_memory_pool_limit(self, pool: int, size: int) -> None:
        assert isinstance(size, int)
        self.limits[pool] = size

    def add_optimization_profile(self, profile: Profile) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1


def make(version: str) -> types.ModuleType:
    """The package as of a version; `calls` on it lists what was built."""
    trt = types.ModuleType("tensorrt")
    eleven = version.startswith(("11.", "12."))
    trt.__version__, trt.calls = version, []
    trt.Logger, trt.OnnxParser = Logger, Parser
    trt.MemoryPoolType = Enum(WORKSPACE=7)
    trt.DataType = Enum(FLOAT=0, HALF=1, INT8=2)
    trt.TensorIOMode = Enum(INPUT=1, OUTPUT=2)
    if eleven:  # nothing at all: both the precision flags and the creation flags may be gone
        trt.NetworkDefinitionCreationFlag, trt.BuilderFlag = Enum(), Enum()
    else:
        trt.NetworkDefinitionCreationFlag = Enum(EXPLICIT_BATCH=0, STRONGLY_TYPED=1)
        trt.BuilderFlag = Enum(FP16=0, INT8=1)

    class Builder:
        def __init__(self, logger: Logger) -> None:
            assert isinstance(logger, Logger)

        def create_network(self, flags: int = 0) -> Network:
            return Network(flags)

        def create_builder_config(self) -> Config:
            return Config()

        def create_optimization_profile(self) -> Profile:
            return Profile()

        def build_serialized_network(self, network: Network, config: Config) -> bytearray | None:
            trt.calls.append((network, config))
            if not eleven:
                assert network.flags == 1 << 1, "a weakly typed network on TensorRT 10"
            if b"fail-me" in network.onnx:
                return None
            return bytearray(MAGIC + network.onnx)

    class Runtime:
        def __init__(self, logger: Logger) -> None:
            assert isinstance(logger, Logger)

        def deserialize_cuda_engine(self, data: bytes):
            return Engine(trt, data[len(MAGIC) :]) if data.startswith(MAGIC) else None

    trt.Builder, trt.Runtime = Builder, Runtime
    return trt


class Engine:
    def __init__(self, trt: types.ModuleType, onnx: bytes) -> None:
        import onnxruntime as ort

        self._trt = trt
        self.session = ort.InferenceSession(onnx, providers=["CPUExecutionProvider"])
        # Outputs first: code that takes index 0 for the input is wrong.
        self._outputs = [value.name for value in self.session.get_outputs()]
        self._names = [*self._outputs, self.session.get_inputs()[0].name]

    @property
    def num_io_tensors(self) -> int:
        return len(self._names)

    def get_tensor_name(self, index: int) -> str:
        return self._names[index]

    def get_tensor_mode(self, name: str) -> int:
        return self._trt.TensorIOMode.OUTPUT if name in self._outputs else self._trt.TensorIOMode.INPUT

    def get_tensor_dtype(self, name: str) -> int:
        return self._trt.DataType.FLOAT

    def create_execution_context(self) -> "Context":
        return Context(self.session, self._outputs)


class Context:
    def __init__(self, session, outputs: list[str]) -> None:
        self._session, self._outputs = session, outputs
        self._shape: tuple = ()
        self._addresses: dict[str, int] = {}
        self.batches: list[int] = []

    def set_input_shape(self, name: str, shape: tuple) -> bool:
        self._shape = tuple(shape)
        self._results = self._session.run(None, {name: np.zeros(shape, np.float32)})
        return True

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def get_tensor_shape(self, name: str) -> tuple:
        return self._results[self._outputs.index(name)].shape

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == 4711
        (name,) = (name for name in self._addresses if name not in self._outputs)
        image = _array(self._addresses[name], self._shape).copy()
        self.batches.append(len(image))
        for output, values in zip(self._outputs, self._session.run(None, {name: image}), strict=True):
            _array(self._addresses[output], values.shape)[...] = values
        return True


def _array(address: int, shape: tuple) -> np.ndarray:
    """The float32 array that lies at an address."""
    count = int(np.prod(shape))
    return np.frombuffer((ctypes.c_float * count).from_address(address), np.float32).reshape(shape)
