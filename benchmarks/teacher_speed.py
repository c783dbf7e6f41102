"""Teachers against students on one image, one thread: time and size of the real models and of the twins.

    python benchmarks/teacher_speed.py [--runs N] [--json]

The real teachers, Grounding DINO tiny at 800 x 1066 pixels with a prompt of eight classes and SAM ViT-B at
1024 x 1024 with ten boxes, have random weights, which take as long as trained ones; against them stands
YOLOv8n-seg at 640 pixels. Timed are the networks alone. The twins and a student of their size answer a drawn
scene from image to masks. At real size a student has to be at least ten times as fast as its teachers; the
twins are smaller than the student itself, so that between them there is little to win.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from nbhelpers.data import draw_scenes
from nbhelpers.distill.ablation import Speed, compare_speed, speed_table
from nbhelpers.distill.students import build_student
from nbhelpers.models import full_config
from nbhelpers.teach.grounded_sam import GroundedSam

LEAST_RATIO = 10.0
Model = tuple[Callable[[], Any], list[torch.nn.Module]]


def real_teachers() -> Model:
    """Grounding DINO tiny and SAM ViT-B, one after the other."""
    from transformers import GroundingDinoForObjectDetection, SamModel

    torch.manual_seed(0)
    dino = GroundingDinoForObjectDetection(full_config("grounding-dino-tiny")).eval()
    sam = SamModel(full_config("sam-vit-base")).eval()
    # [CLS], eight words each followed by a full stop, [SEP], in the ids of BERT's vocabulary.
    prompt = torch.tensor([[101, *(id for word in range(2000, 2008) for id in (word, 1012)), 102]])
    picture, square = torch.randn(1, 3, 800, 1066), torch.randn(1, 3, 1024, 1024)
    corner = torch.rand(1, 10, 2) * 500
    boxes = torch.cat([corner, corner + 200], -1)

    @torch.inference_mode()
    def look() -> None:
        dino(pixel_values=picture, input_ids=prompt, attention_mask=torch.ones_like(prompt))
        sam(pixel_values=square, input_boxes=boxes, multimask_output=False)

    return look, [dino, sam]


def real_student() -> Model:
    """YOLOv8n-seg for eight classes at 640 pixels."""
    student = build_student("yolov8_seg", [str(number) for number in range(8)], image_size=640)
    pixels = torch.rand(1, 3, 640, 640)

    @torch.inference_mode()
    def look() -> None:
        student(pixels)

    return look, [student]


def twins() -> dict[str, Model]:
    """The twins, and a student of their size, on one scene."""
    with tempfile.TemporaryDirectory() as folder:
        coco = draw_scenes(Path(folder), count=1, size=(160, 160), seed=0, world="shifted")
        image = coco.image(coco.image_ids[0])
    mapping = {str(number): name for number, name in enumerate(coco.class_names)}
    teachers = GroundedSam.from_pretrained(
        "tiny/grounding-dino", "tiny/sam", class_mapping=mapping, device="cpu"
    )
    student = build_student("yolov8_seg", coco.class_names, image_size=160)
    assert teachers.detector is not None
    assert teachers.segmenter is not None
    networks = [teachers.detector.model, teachers.segmenter.model]
    return {
        "twins": (lambda: teachers.predict_one(image), networks),
        "YOLOv8n-seg, 160 px": (lambda: student.predict(image), [student]),
    }


def said(speeds: list[Speed]) -> str:
    """The table, and whether the student is fast enough."""
    ratio = speeds[1].ratio
    verdict = "at least ten times as fast" if ratio >= LEAST_RATIO else "less than ten times as fast"
    return f"{speed_table(speeds)}\n{speeds[1].name}: {verdict} as {speeds[0].name} ({ratio:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    name = "Grounding DINO tiny + SAM ViT-B"
    real = compare_speed({name: real_teachers(), "YOLOv8n-seg, 640 px": real_student()}, 1, given.runs)
    if not given.json:
        print(said(real), flush=True)
    small = compare_speed(twins(), 2, max(20, given.runs))
    if given.json:
        print(json.dumps([asdict(one) for one in (*real, *small)]))
        return
    print(f"\n{speed_table(small)}")


if __name__ == "__main__":
    main()
