"""YOLOv8, YOLOv8-seg and FastSAM: built from ultralytics' own descriptions, without any download."""

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from nbhelpers.distill.students.record import Decode, Recipe, StudentFamily, Task, TrainableNetwork
from nbhelpers.distill.ultralytics_quiet import LICENCE, LICENCE_NOTE, ultralytics

if TYPE_CHECKING:
    import supervision as sv
    from torch import nn

# Ultralytics' own gains (`box`, `cls`, `dfl`; masks count as boxes do).
_GAINS = {"box": 7.5, "class": 0.5, "dfl": 1.5}
_MASK_GAINS = {"bce": 7.5, "dice": 1.5}


def _build(task: Task, size: str, classes: int) -> "nn.Module":
    """The bare ultralytics model; its head gives tensors alone, as in deployment."""
    ultralytics()
    from ultralytics.nn.tasks import DetectionModel, SegmentationModel

    kind, suffix = (SegmentationModel, "-seg") if task == "segment" else (DetectionModel, "")
    network = kind(f"yolov8{size}{suffix}.yaml", nc=classes, verbose=False)
    cast(Any, network).model[-1].export = True  # what it gives in training is the same with and without
    return cast("nn.Module", network)


def _trainable(gains: dict[str, float], network: "nn.Module") -> TrainableNetwork:
    from nbhelpers.distill.students.yolo import TrainableYolo

    return TrainableYolo(network, gains)


def _decode(*arguments: Any, **options: Any) -> "sv.Detections":
    from nbhelpers.distill.postprocess import decode

    return decode(*arguments, **options)


def _family(name: str, mode: str, task: Task, about: str, class_agnostic: bool = False) -> StudentFamily:
    gains = _GAINS | (_MASK_GAINS if task == "segment" else {})
    return StudentFamily(
        name=name,
        mode=mode,
        task=task,
        class_agnostic=class_agnostic,
        licence=LICENCE,
        licence_note=LICENCE_NOTE,
        about=about,
        sizes=("n", "s", "m", "l", "x"),
        stride=32,
        build=partial(_build, task),
        trainable=partial(_trainable, gains),
        decode=cast(Decode, _decode),
        recipe=Recipe(gains),
        libraries=("ultralytics",),
    )


YOLOV8 = _family("yolov8", "detection", "detect", "boxes with classes (YOLOv8)")
YOLOV8_SEG = _family(
    "yolov8_seg", "detection_and_segmentation", "segment", "boxes and masks with classes (YOLOv8-seg)"
)
FASTSAM = _family(
    "fastsam",
    "segmentation",
    "segment",
    "masks of every object, without classes (FastSAM: YOLOv8-seg with the one class 'object')",
    class_agnostic=True,
)
