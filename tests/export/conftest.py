"""A small student with lively scores, its ONNX files, images and a labelled set, made once for the tests."""

from pathlib import Path

import numpy as np
import pytest

SIDE = 64
CLASSES = ["date", "fig", "hazelnut"]


@pytest.fixture(scope="session")
def student():
    """An untrained segmentation student whose class scores are spread over 0..1, as a trained one's are."""
    import torch

    from nbhelpers.distill import build_student

    made = build_student("yolov8_seg", CLASSES, "n", SIDE, seed=1)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        # Untrained batch norms shrink everything layer by layer; fresh statistics bring activations to life.
        made.network.train()
        for _ in range(8):
            made.network(torch.rand(8, 3, SIDE, SIDE, generator=generator))
        made.network.eval()
        for branch in made.network.model[-1].cv3:
            branch[-1].weight.normal_(0, 0.35, generator=generator)
            branch[-1].bias.fill_(-1.5)
    return made.eval()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="session")
def report(student, folder):
    from nbhelpers.export import export_onnx

    return export_onnx(student, folder / "student.onnx")


@pytest.fixture(scope="session")
def photos() -> list[np.ndarray]:
    """Six smooth random images of odd sizes, (H, W, 3) uint8 RGB."""
    import cv2

    rng = np.random.default_rng(0)
    sizes = [(48, 80), (90, 61), (64, 64), (120, 75), (33, 99), (77, 50)]
    return [cv2.resize(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8), (w, h)) for h, w in sizes]


@pytest.fixture(scope="session")
def int8(report, folder, photos):
    from nbhelpers.export import quantize_static

    return quantize_static(report.path, folder / "student.int8.onnx", photos)


@pytest.fixture(scope="session")
def labelled(photos, student, tmp_path_factory):
    """A COCO set of those images, labelled with what the student itself finds in them."""
    from PIL import Image

    from nbhelpers.artifacts import write_json
    from nbhelpers.data import load_coco

    root = tmp_path_factory.mktemp("labelled")
    images, annotations = [], []
    for image_id, photo in enumerate(photos, start=1):
        name = f"{image_id}.png"
        Image.fromarray(photo).save(root / name)
        height, width = photo.shape[:2]
        images.append({"id": image_id, "file_name": name, "width": width, "height": height})
        annotations += _labels(student, photo, image_id, len(annotations))
    categories = [{"id": 10 * (index + 1), "name": name} for index, name in enumerate(CLASSES)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    return load_coco(write_json(root / "labels.json", document), images=root)


def _labels(student, photo, image_id: int, first: int) -> list[dict]:
    from pycocotools import mask as coco_mask

    found = student.predict(photo, confidence=0.05)[:4]
    labels = []
    for number in range(len(found)):
        x1, y1, x2, y2 = (float(value) for value in found.xyxy[number])
        rle = coco_mask.encode(np.asfortranarray(found.mask[number].astype(np.uint8)))
        labels.append(
            {
                "id": first + number + 1,
                "image_id": image_id,
                "category_id": 10 * (int(found.class_id[number]) + 1),
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": float(found.mask[number].sum()),
                "iscrowd": 0,
                "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()},
            }
        )
    return labels


@pytest.fixture
def tiny_graph(tmp_path):
    """A maker of small ONNX files: inputs given as name -> shape, one Identity per input."""
    import onnx
    from onnx import TensorProto, helper

    def make(inputs: dict[str, list], dtype: int = TensorProto.FLOAT) -> Path:
        values = [helper.make_tensor_value_info(name, dtype, shape) for name, shape in inputs.items()]
        outputs = [
            helper.make_tensor_value_info(f"{name}_out", dtype, shape) for name, shape in inputs.items()
        ]
        nodes = [helper.make_node("Identity", [name], [f"{name}_out"], name=f"id_{name}") for name in inputs]
        model = helper.make_model(
            helper.make_graph(nodes, "tiny", values, outputs),
            opset_imports=[helper.make_opsetid("", 18)],
            ir_version=10,
        )
        path = tmp_path / "tiny.onnx"
        onnx.save(model, path)
        return path

    return make
