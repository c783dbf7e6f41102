"""Validating a large COCO file: `nbhelpers.data.validate` beside the plain pycocotools way.

    python benchmarks/validate_coco.py [--images 20000] [--annotations 200000] [--seed 0] [--json]

A file with polygons, compressed and uncompressed RLE and plain boxes is drawn with a seed, a few percent of
its records spoiled. Each way runs as its own process on it: it loads the file, makes the same checks and says
how many faults of each kind it found. Printed: wall and CPU seconds, peak resident memory, the ratios, and
whether both found the same faults. Image files are not looked at by either.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT = 640, 480
FAULTS = [
    "annotation_duplicate_id", "annotation_orphan", "category_unknown", "box_not_numbers", "box_no_area",
    "box_clipped", "polygon_clipped", "polygon_outside", "polygon_degenerate", "rle_size", "rle_counts",
    "area_missing", "area_contradicts", "box_contradicts",
]  # fmt: skip


def draw(path: Path, images: int, annotations: int, seed: int) -> None:
    """Write the file: ellipses as polygons of 8 to 40 points or runs, boxes; 4 % of annotations spoiled."""
    from nbhelpers.data.masks import mask_to_rle

    rng = np.random.default_rng(seed)
    library = [_ellipse_runs(rng, mask_to_rle) for _ in range(400)]
    records = [_annotation(rng, index, images, library) for index in range(annotations)]
    document = {
        "images": [
            {"id": index + 1, "file_name": f"{index:06d}.jpg", "width": WIDTH, "height": HEIGHT}
            for index in range(images)
        ],
        "categories": [{"id": index + 1, "name": f"class {index}"} for index in range(20)],
        "annotations": records,
    }
    path.write_text(json.dumps(document))


def _ellipse(rng: np.random.Generator) -> tuple[float, float, float, float]:
    rx, ry = rng.uniform(8, 90, 2)
    return rng.uniform(rx, WIDTH - rx), rng.uniform(ry, HEIGHT - ry), rx, ry


def _ellipse_runs(rng: np.random.Generator, encode: Any) -> tuple[dict, dict, list[float], float]:
    x, y, rx, ry = _ellipse(rng)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    mask = ((columns + 0.5 - x) / rx) ** 2 + ((rows + 0.5 - y) / ry) ** 2 < 1
    flat = mask.ravel(order="F").astype(np.int8)
    edges = (
        np.flatnonzero(np.diff(flat, prepend=0, append=2 - flat[-1])) if flat.any() else np.array([flat.size])
    )
    counts = np.diff(np.concatenate([[0], edges])).tolist()
    ys, xs = np.nonzero(mask)
    box = [int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1]
    return encode(mask), {"size": [HEIGHT, WIDTH], "counts": counts}, box, float(mask.sum())


def _annotation(rng: np.random.Generator, index: int, images: int, library: list) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": index + 1,
        "image_id": int(rng.integers(images)) + 1,
        "category_id": int(rng.integers(20)) + 1,
        "iscrowd": 0,
    }
    kind = rng.choice(4, p=[0.5, 0.2, 0.15, 0.15])
    if kind in (1, 2):
        compressed, plain, box, area = library[rng.integers(len(library))]
        record |= {"segmentation": dict((compressed, plain)[kind - 1]), "bbox": list(box), "area": area}
    else:
        x, y, rx, ry = _ellipse(rng)
        turns = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(8, 41))) if kind == 0 else np.arange(4)
        points = np.stack([x + rx * np.cos(turns), y + ry * np.sin(turns)], axis=1).round(2)
        low, sides = points.min(axis=0), np.ptp(points, axis=0)
        record["bbox"] = [*low.tolist(), *sides.round(2).tolist()]
        record["area"] = float(sides.prod()) if kind else _shoelace(points)
        if kind == 0:
            record["segmentation"] = [points.ravel().tolist()]
    if rng.random() < 0.04:
        _spoil(record, rng, index)
    return record


def _shoelace(points: np.ndarray) -> float:
    x, y = points.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _spoil(record: dict[str, Any], rng: np.random.Generator, index: int) -> None:
    """One fault per record, each kind about as often as the others."""
    mask = record.get("segmentation")
    choice = int(rng.integers(10))
    if choice == 0 and index > 0:
        record["id"] = 1
    elif choice == 1:
        record["image_id"] = 10**9
    elif choice == 2:
        record["category_id"] = 99
    elif choice == 3:
        record["bbox"] = ["wide", 1, 2, 3]
    elif choice == 4:
        record["bbox"] = [*record["bbox"][:2], 0, 5]
    elif choice == 5:
        record["area"] = record["area"] * 2 + 300
    elif choice == 6:
        del record["area"]
    elif choice == 7:
        x, y, _, h = record["bbox"]
        record["bbox"] = [x, y, WIDTH - x + 9, h]
    elif isinstance(mask, list):
        shift = WIDTH - mask[0][0]  # the first point comes to lie on the right edge
        moved = [value + shift * (place % 2 == 0) for place, value in enumerate(mask[0])]
        record["segmentation"] = [moved] if choice == 8 else [mask[0][:4]]
    elif isinstance(mask, dict) and choice == 8:
        mask["size"] = [HEIGHT, WIDTH + 1]
    elif isinstance(mask, dict) and isinstance(mask["counts"], list):
        mask["counts"] = mask["counts"][:-1]


def ours(path: Path) -> dict[str, int]:
    """The validation as a user calls it."""
    from nbhelpers.data.validate import validate

    report = validate(path, decode="none").report
    counts = Counter(item.code for item in report.items)
    return {code: counts[code] for code in FAULTS}


def plain(path: Path) -> dict[str, int]:
    """`COCO(path)`, then a loop over annotations with the same checks; masks measured with `annToMask`."""
    import contextlib
    import math

    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(sys.stderr):
        coco = COCO(str(path))
    counts: Counter[str] = Counter()
    seen: set[int] = set()
    for annotation in coco.dataset["annotations"]:
        if annotation["image_id"] not in coco.imgs:
            counts["annotation_orphan"] += 1
            continue
        if annotation["category_id"] not in coco.cats:
            counts["category_unknown"] += 1
            continue
        if annotation["id"] in seen:
            counts["annotation_duplicate_id"] += 1
        seen.add(annotation["id"])
        image = coco.imgs[annotation["image_id"]]
        width, height = image["width"], image["height"]
        mask = _plain_mask(coco, annotation, width, height, counts)
        box = annotation["bbox"]
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in box):
            counts["box_not_numbers"] += 1
            box = None
        elif box[2] <= 1e-3 or box[3] <= 1e-3:
            counts["box_no_area"] += 1
            box = None
        elif _beyond(box, width, height) > 1e-3:
            counts["box_clipped"] += 1
            x0, y0 = max(box[0], 0), max(box[1], 0)
            box = [x0, y0, min(box[0] + box[2], width) - x0, min(box[1] + box[3], height) - y0]
        if mask is not None:
            _plain_measures(annotation, mask, box, counts)
        elif box is not None:
            _plain_area(annotation, box[2] * box[3], box[2] + box[3], counts, only_above=True)
    return {code: counts[code] for code in FAULTS}


def _beyond(box: list[float], width: float, height: float) -> float:
    return max(-box[0], -box[1], box[0] + box[2] - width, box[1] + box[3] - height)


def _plain_mask(coco: Any, annotation: dict, width: int, height: int, counts: Counter) -> np.ndarray | None:
    """The mask where the segmentation is sound, else None and the fault counted."""
    segmentation = annotation.get("segmentation")
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        if segmentation["size"] != [height, width]:
            counts["rle_size"] += 1
            return None
        if isinstance(segmentation["counts"], list) and sum(segmentation["counts"]) != height * width:
            counts["rle_counts"] += 1
            return None
        return coco.annToMask(annotation)
    if any(len(part) < 6 or len(part) % 2 for part in segmentation):
        counts["polygon_degenerate"] += 1
        return None
    points = [value for part in segmentation for value in part]
    xs, ys = points[0::2], points[1::2]
    if max(-min(xs), -min(ys), max(xs) - width, max(ys) - height) > 1e-3:
        mask = coco.annToMask(annotation)
        counts["polygon_clipped" if mask.any() else "polygon_outside"] += 1
        return mask if mask.any() else None
    mask = coco.annToMask(annotation)
    if not mask.any():
        counts["polygon_degenerate"] += 1
        return None
    return mask


def _plain_measures(annotation: dict, mask: np.ndarray, box: list[float] | None, counts: Counter) -> None:
    area = int(mask.sum())
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    tight = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
    _plain_area(annotation, area, tight[2] + tight[3], counts)
    if box is None:
        return
    edges = [(box[0], tight[0]), (box[1], tight[1])]
    edges += [(box[0] + box[2], tight[0] + tight[2]), (box[1] + box[3], tight[1] + tight[3])]
    across = min(edges[2]) - max(edges[0])
    down = min(edges[3]) - max(edges[1])
    overlap = max(across, 0) * max(down, 0)
    iou = overlap / (box[2] * box[3] + tight[2] * tight[3] - overlap)
    if iou < 0.8 and max(abs(one - other) for one, other in edges) > 2:
        counts["box_contradicts"] += 1


def _plain_area(
    annotation: dict, measured: float, outline: float, counts: Counter, only_above: bool = False
) -> None:
    if "area" not in annotation:
        counts["area_missing"] += 1
        return
    off = annotation["area"] - measured
    if (off if only_above else abs(off)) > 0.1 * max(annotation["area"], measured) + 0.5 * outline:
        counts["area_contradicts"] += 1


def measure(way: str, path: Path) -> dict[str, Any]:
    """Run one way as its own process; its peak memory is that of the only child waited for since."""
    command = [sys.executable, __file__, "--way", way, "--file", str(path)]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    output, _ = process.communicate()
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"the {way} way failed with {process.returncode}")
    return {"seconds": seconds, **json.loads(output)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--annotations", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--way", choices=["ours", "plain"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        faults = {"ours": ours, "plain": plain}[options.way](options.file)
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu_s = used.ru_utime + used.ru_stime
        print(json.dumps({"cpu_s": cpu_s, "peak_mib": used.ru_maxrss / 1024, "faults": faults}))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "large.json")
        draw(path, options.images, options.annotations, options.seed)
        size_mib = os.path.getsize(path) / 2**20  # noqa: PTH202
        results = {way: measure(way, path) for way in ("ours", "plain")}
    _print(options, size_mib, results)


def _print(options: argparse.Namespace, size_mib: float, results: dict[str, dict[str, Any]]) -> None:
    ours_, plain_ = results["ours"], results["plain"]
    summary = {
        "images": options.images,
        "annotations": options.annotations,
        "file_mib": round(size_mib, 1),
        "time_ratio": ours_["seconds"] / plain_["seconds"],
        "cpu_ratio": ours_["cpu_s"] / plain_["cpu_s"],
        "memory_ratio": ours_["peak_mib"] / plain_["peak_mib"],
        "same_faults": ours_["faults"] == plain_["faults"],
        **results,
    }
    if options.json:
        print(json.dumps(summary))
        return
    print(f"{options.images} images, {options.annotations} annotations, {size_mib:.0f} MiB")
    print("         seconds   CPU seconds   peak MiB   faults")
    for way, found in results.items():
        faults = sum(found["faults"].values())
        print(f"{way:6} {found['seconds']:9.1f} {found['cpu_s']:13.1f} {found['peak_mib']:10.0f} {faults:8}")
    print(f"ratio  {summary['time_ratio']:9.3f} {summary['cpu_ratio']:13.3f} {summary['memory_ratio']:10.3f}")
    print("both found the same faults" if summary["same_faults"] else "the faults differ:")
    for code in FAULTS:
        one, other = ours_["faults"][code], plain_["faults"][code]
        print(f"  {code:26} {one:6} {other:6}{'' if one == other else '  <-- differs'}")


if __name__ == "__main__":
    main()
