"""What augmentation by conditions is worth: a student trained with and without it, scored at another site.

    python benchmarks/augmentation.py [--scenes 200] [--test 150] [--megapixels 40] [--seeds 0 1 2]
                                      [--arms medium] [--set KEY=VALUE ...] [--folder DIR] [--json FILE]

Scenes of the base world are learned from and validated on; scored is the shifted world, a darker and farther
site with other walls and floors, on the six classes both have, and base scenes that were held out. The
conditions are what someone would say who has seen that site and labelled nothing there. Both arms see equally
many images; seeds are paired, and the interval of the difference is Student's t over them. Trainings
that are finished are kept in --folder and not made again, so seeds may run side by side.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nbhelpers.data import CocoSet, draw_scenes
from nbhelpers.data.augment import Conditions, build_augmenter
from nbhelpers.settings import load_settings

SIDE_PX = 160
SITE = {"lighting": "poor", "background": "changing", "distance": "variable"}


def known_only(shifted: CocoSet, classes: list[str]) -> CocoSet:
    """The set without the classes a student of the base world cannot know."""
    ids = {entry["id"] for entry in shifted.categories if entry["name"] in classes}
    return replace(
        shifted,
        categories=[entry for entry in shifted.categories if entry["id"] in ids],
        annotations=[entry for entry in shifted.annotations if entry["category_id"] in ids],
    )


def sets(folder: Path, scenes: int, test: int) -> dict[str, CocoSet]:
    """Training, validation and home test of the base world, and the test at the other site."""
    size = (SIDE_PX, SIDE_PX)
    base = draw_scenes(folder / "base", scenes + 40 + test, size, seed=11)
    ids = base.image_ids
    parts = {"train": ids[:scenes], "val": ids[scenes : scenes + 40], "home": ids[scenes + 40 :]}
    away = draw_scenes(folder / "shifted", test, size, seed=12, world="shifted")
    return {name: base.subset(part) for name, part in parts.items()} | {
        "away": known_only(away, base.class_names)
    }


def one(parts: dict[str, CocoSet], arm: str, seed: int, given: list[str], folder: Path) -> dict[str, Any]:
    """Train one student and score it."""
    from nbhelpers.distill import load_student, train_student
    from nbhelpers.distill.evaluate import evaluate_student

    settings = load_settings("cpu", [*given, f"distill.seed={seed}"]).distill
    augment = None if arm == "none" else build_augmenter(Conditions(**SITE, intensity=arm, seed=seed))
    done = train_student(
        parts["train"], parts["val"], settings, folder / f"{arm}_{seed}", student="yolov8", augment=augment
    )
    student = load_student(done.best)
    found: dict[str, Any] = {"arm": arm, "seed": seed, "epochs": done.epochs}
    for name in ("home", "away"):
        found[name] = evaluate_student(student, parts[name])["bbox"].ap50
    return found


def difference(rows: list[dict[str, Any]], arm: str, where: str) -> dict[str, float]:
    """Mean paired difference to the arm without augmentation, with its 95 % t interval over the seeds."""
    from scipy import stats

    score = {(row["arm"], row["seed"]): row[where] for row in rows}
    seeds = sorted({row["seed"] for row in rows})
    steps = np.array([score[arm, seed] - score["none", seed] for seed in seeds])
    half = (
        stats.t.ppf(0.975, len(steps) - 1) * steps.std(ddof=1) / np.sqrt(len(steps))
        if len(steps) > 1
        else np.nan
    )
    return {
        "mean": float(steps.mean()),
        "low": float(steps.mean() - half),
        "high": float(steps.mean() + half),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--test", type=int, default=150)
    parser.add_argument("--megapixels", type=float, default=40)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", nargs="*", default=[], help="more settings, such as distill.batch=8")
    parser.add_argument("--arms", nargs="+", default=["medium"], choices=["low", "medium", "high"])
    parser.add_argument("--folder", type=Path, default=Path("runs/benchmark_augmentation"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    parts = sets(options.folder, options.scenes, options.test)
    given = [f"distill.budget_megapixels={options.megapixels}", "distill.max_minutes=120"]
    given += ["distill.validations=3", "distill.tensorboard=false", *options.set]
    rows = []
    for seed in options.seeds:
        for arm in ("none", *options.arms):
            rows.append(one(parts, arm, seed, given, options.folder))
            print("  ".join(f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}"
                            for key, value in rows[-1].items()), flush=True)  # fmt: skip
    gains = {arm: {where: difference(rows, arm, where) for where in ("home", "away")} for arm in options.arms}
    for arm, places in gains.items():
        for where, step in places.items():
            print(
                f"{arm} - none, AP50 {where}: {step['mean']:+.3f} ({step['low']:+.3f} to {step['high']:+.3f})"
            )
    if options.json:
        options.json.write_text(
            json.dumps({"conditions": SITE, "rows": rows, "differences": gains}, indent=1)
        )


if __name__ == "__main__":
    main()
