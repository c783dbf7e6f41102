"""Engines: torch, ONNX Runtime and TensorRT behind one `predict(image) -> supervision.Detections`."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from nbhelpers.errors import BadInput, Unavailable
from nbhelpers.export.card import ModelCard, card_from_props, card_of_student
from nbhelpers.export.session import open_session

if TYPE_CHECKING:
    import supervision as sv

    from nbhelpers.distill import Student
    from nbhelpers.runtime import Choice


@runtime_checkable
class Engine(Protocol):
    """What every engine has. `run` is the bare network; `predict` adds the shared letterbox and decoding."""

    name: str
    path: Path | None
    card: ModelCard

    @property
    def class_names(self) -> list[str]:
        """Names by class index."""
        ...

    @property
    def image_size(self) -> int:
        """Side of the square input, pixels."""
        ...

    @property
    def task(self) -> str:
        """`detect` or `segment`."""
        ...

    def run(self, batch: np.ndarray) -> list[np.ndarray]:
        """Raw float32 outputs of a batch (N, 3, size, size) float32 RGB 0..1."""
        ...

    def predict(
        self, image: np.ndarray, confidence: float = 0.25, iou: float = 0.7, **options: Any
    ) -> "sv.Detections":
        """Detections of one image (H, W, 3) uint8 RGB."""
        ...


class BaseEngine:
    """Everything engines share: the card's facts, and letterbox, run, decode."""

    def __init__(self, name: str, card: ModelCard, path: Path | None, where: "Choice") -> None:
        self.name, self.card, self.path, self.where = name, card, path, where

    @property
    def class_names(self) -> list[str]:
        """Names by class index."""
        return self.card.class_names

    @property
    def image_size(self) -> int:
        """Side of the square letterboxed input, pixels."""
        return self.card.image_size

    @property
    def task(self) -> str:
        """`detect` or `segment`."""
        return self.card.task

    def run(self, batch: np.ndarray) -> list[np.ndarray]:
        """Raw float32 outputs of a batch (N, 3, size, size) float32 RGB 0..1."""
        raise NotImplementedError

    def predict(
        self, image: np.ndarray, confidence: float = 0.25, iou: float = 0.7, **options: Any
    ) -> "sv.Detections":
        """Detections of one image.

        Args:
            image: (H, W, 3) uint8 RGB.
            confidence: least score, 0..1.
            iou: overlap above which the weaker of two boxes of one class is dropped, 0..1.
            options: passed on to the student family's decode (`max_detections`, `multi_label`).

        Returns:
            Boxes XYXY in pixels of `image`; for segmentation masks (N, H, W) bool.
        """
        from nbhelpers.distill import family_of, letterbox

        pixels, placed = letterbox(image, self.image_size)
        outputs, decode = self.run(pixels[None]), family_of(self.card.student).decode
        return decode(outputs, placed, self.task, confidence, iou, class_names=self.class_names, **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}, {self.task}, {self.image_size} px, {self.where})"


class TorchEngine(BaseEngine):
    """The student itself, run eagerly by torch."""

    def __init__(
        self, student: "Student", device: str = "cpu", path: Path | None = None, threads: int | None = None
    ) -> None:
        from nbhelpers.runtime import Choice

        super().__init__(
            "torch", card_of_student(student), path, Choice(device, "torch runs where it was told to")
        )
        self.student, self.device, self.threads = student.to(device).eval(), device, threads

    def run(self, batch: np.ndarray) -> list[np.ndarray]:
        """Raw float32 outputs of a batch (N, 3, size, size) float32 RGB 0..1."""
        import torch

        with torch.inference_mode(), self._own_threads():
            raw = self.student(torch.from_numpy(batch).to(self.device))
        return [tensor.float().cpu().numpy() for tensor in (raw if isinstance(raw, tuple) else (raw,))]

    @contextlib.contextmanager
    def _own_threads(self) -> Iterator[None]:
        """Torch knows one number of threads per process: it is lent to this engine and given back."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(self.threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


class OnnxEngine(BaseEngine):
    """An exported file run by ONNX Runtime; everything else it needs is read from the file."""

    def __init__(self, path: Path, device: str = "cpu", threads: int | None = None) -> None:
        where = choose_provider(device)
        providers = list(dict.fromkeys([where.value, "CPUExecutionProvider"]))
        self.session = open_session(path, providers, threads)
        props = self.session.get_modelmeta().custom_metadata_map
        super().__init__("onnx", card_from_props(props, str(path)), Path(path), where)
        self._input = self.session.get_inputs()[0].name

    def run(self, batch: np.ndarray) -> list[np.ndarray]:
        """Raw float32 outputs of a batch (N, 3, size, size) float32 RGB 0..1."""
        return [np.asarray(output, np.float32) for output in self.session.run(None, {self._input: batch})]


def choose_provider(device: str) -> "Choice":
    """The ONNX Runtime provider for a device ("cpu", "cuda", "cuda:0"), and why."""
    import onnxruntime as ort

    from nbhelpers.runtime import Choice

    if not device.startswith("cuda"):
        return Choice("CPUExecutionProvider", f"device is {device}")
    if "CUDAExecutionProvider" in ort.get_available_providers():
        return Choice("CUDAExecutionProvider", f"device is {device}, ONNX Runtime has CUDA")
    return Choice(
        "CPUExecutionProvider",
        f"device is {device}, but this ONNX Runtime has no CUDA provider; onnxruntime-gpu has one",
    )


def open_engine(path: Path, device: str = "cpu", threads: int | None = None) -> "Engine":
    """Open a model file as an engine, by its suffix: `.pt` torch, `.onnx` ONNX Runtime, `.engine` TensorRT.

    Args:
        path: a student checkpoint, an exported ONNX file, or a TensorRT engine with its manifest beside it.
        device: "cpu" or "cuda:0".
        threads: CPU threads inside one operator, for torch of the whole process; None leaves it alone.

    Raises:
        BadInput: no such file, another suffix, or not a file of this package.
        Unavailable: the engine needs a GPU or TensorRT that this machine lacks.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file; give a .pt, .onnx or .engine file")
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        return OnnxEngine(path, device, threads)
    if suffix == ".pt":
        return _open_torch(path, device, threads)
    if suffix in {".engine", ".plan"}:
        from nbhelpers.export.tensorrt_engine import TensorRTEngine

        return TensorRTEngine(path, device if device != "cpu" else "cuda:0")
    raise BadInput(f"{path}: an engine is a .pt, .onnx or .engine file")


def _open_torch(path: Path, device: str, threads: int | None) -> TorchEngine:
    import torch

    from nbhelpers.distill import load_student

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise Unavailable(
            f"{path}: device {device} was asked for, but torch finds no CUDA GPU; use device 'cpu'"
        )
    return TorchEngine(load_student(path), device, path, threads)
