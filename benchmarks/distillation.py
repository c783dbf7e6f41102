"""What each step of the distillation is worth, on drawn scenes of a site the teachers were not trained on.

    python benchmarks/distillation.py FOLDER [--seeds 0 1 2] [--minutes M] [--set SECTION.KEY=VALUE ...]

Teachers are tuned on a tenth of the train part's labels and label all of it; students learn from the few
labels alone, then with pseudo-labels, features and class scores added in turn, each seeing as many images as
the others. Printed: the quality of the pseudo-labels, scores of every training, the gains with intervals over
seeds and test images, and time and size of teachers and student on one thread. FOLDER keeps everything: run
again, what is finished is taken as it is. `figure.png` there shows the comparison.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from nbhelpers.data import few_labels, labelled_share, prepared_or_default
from nbhelpers.distill.ablation import compare_speed, run_ablation, speed_table
from nbhelpers.distill.label_quality import label_quality
from nbhelpers.distill.pseudo_labels import label_images
from nbhelpers.distill.students import load_student
from nbhelpers.plots import save_figure
from nbhelpers.settings import load_settings
from nbhelpers.teach import teachers_or_default

# A pool of 400 images, few of them labelled, and a test part large enough for narrow intervals. Each student
# sees 2,400 images in 600 steps: six epochs of the pool.
SETTINGS = (
    "data.world=shifted",
    "data.scenes=600",
    "data.split=train:0.667,val:0.083,test:0.25",
    "distill.epochs=6",
    "distill.batch=4",
    "distill.losses.feature=1",
    "distill.losses.logit=0.5",
    "distill.validations=4",
    "distill.max_minutes=120",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, help="stop cleanly after them; run again to go on")
    parser.add_argument("--set", nargs="+", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    end_at = None if given.minutes is None else time.time() + 60 * given.minutes
    settings = load_settings("cpu", [*SETTINGS, *given.set])
    prepared = prepared_or_default(None, settings.data, given.folder)
    train, test = prepared.part("train"), prepared.part("test")
    share, reason = labelled_share(train, settings.data)
    labelled = few_labels(train, share, settings.data.seed).labelled
    print(f"{len(train.images)} train images, {len(labelled.images)} of them labelled ({reason})")
    teachers = teachers_or_default(None, prepared, settings, given.folder, device="cpu").load("cpu")
    found = run_ablation(
        labelled, train, teachers, prepared.part("val"), test, settings.distill, given.folder / "ablation",
        seeds=given.seeds, end_at=end_at,
    )  # fmt: skip
    labels = label_images(teachers, train, given.folder / "ablation" / "labels", features=True).load()
    student = load_student(given.folder / "ablation" / f"{found.rows[-1].key}-{found.seeds[0]}" / "best.pt")
    image = test.image(test.image_ids[0])
    speeds = compare_speed(
        {
            "the teachers": (lambda: teachers.predict_one(image), teachers.networks),
            "the student": (lambda: student.predict(image), [student]),
        }
    )
    save_figure(found.figure(), given.folder / "figure.png")
    if given.json:
        print(json.dumps({**found.to_dict(), "speeds": [vars(one) for one in speeds]}))
        return
    for part in (label_quality(labels, train).table(), found.seed_table(), found.table(), found.verdict()):
        print(f"\n{part}")
    print(f"\n{speed_table(speeds)}")


if __name__ == "__main__":
    main()
