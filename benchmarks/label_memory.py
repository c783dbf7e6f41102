"""Does labelling keep its memory flat? Peaks of child processes that label few and many images.

    python benchmarks/label_memory.py [--few 200] [--many 2000] [--size 160] [--features] [--no-segmenter]

Each child labels so many drawn scenes with the twins and reports its high-water mark (`ru_maxrss`). The bar
is that of the many images being within 10 % of that of the few. Exit code 1 where it is not.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

BAR = 0.10
DRAWN = 100  # different scenes; more images are links to them, so that drawing takes no longer than labelling

CHILD = """
import json, resource, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from nbhelpers.distill.pseudo_labels import label_images
from nbhelpers.teach.grounded_sam import GroundedSam

images, output, mapping, features, segmenter = sys.argv[1:]
sam = "tiny/sam" if segmenter == "True" else None
teachers = GroundedSam.from_pretrained(
    "tiny/grounding-dino", sam, class_mapping=json.loads(mapping), device="cpu"
)
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run = label_images(
    teachers, Path(images), Path(output), features=features == "True", say=lambda text: None
)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({
    "start_mib": start / 1024, "peak_mib": peak / 1024, "images": run.n_images,
    "labels": run.n_annotations, "seconds": run.seconds,
    "file_mib": run.path.stat().st_size / 2**20,
}))
"""


def linked(source: Path, folder: Path, count: int) -> Path:
    """A folder of `count` images, links to those of `source` in turn."""
    folder.mkdir()
    known = sorted(path for path in source.iterdir() if path.suffix in (".jpg", ".png"))
    for number in range(count):
        original = known[number % len(known)]
        (folder / f"{number:06d}{original.suffix}").symlink_to(original)
    return folder


def measure(images: Path, output: Path, mapping: dict, features: bool, segmenter: bool) -> dict:
    arguments = [str(images), str(output), json.dumps(mapping), str(features), str(segmenter)]
    done = subprocess.run([sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    from nbhelpers.data import draw_scenes

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--few", type=int, default=200)
    parser.add_argument("--many", type=int, default=2000)
    parser.add_argument("--size", type=int, default=160, help="side of the scenes, pixels")
    parser.add_argument("--features", action="store_true", help="keep feature maps too")
    parser.add_argument("--no-segmenter", action="store_true", help="boxes only")
    given = parser.parse_args()
    peaks = {}
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        scenes = draw_scenes(root / "scenes", DRAWN, (given.size, given.size), 3, "shifted")
        mapping = {str(entry["id"]): entry["name"] for entry in scenes.categories}
        for count in (given.few, given.many):
            images = linked(root / "scenes" / "images", root / f"images-{count}", count)
            out = root / f"out-{count}"
            seen = measure(images, out, mapping, given.features, not given.no_segmenter)
            peaks[count] = seen["peak_mib"]
            print(
                f"{seen['images']:6d} images: peak {seen['peak_mib']:.0f} MiB "
                f"({seen['start_mib']:.0f} with the models loaded), "
                f"{seen['labels']} labels in {seen['file_mib']:.1f} MiB, "
                f"{seen['images'] / seen['seconds']:.1f} images/s",
                flush=True,
            )
    grown = peaks[given.many] / peaks[given.few] - 1
    print(f"the peak grew by {100 * grown:.1f} %; the bar is {100 * BAR:.0f} %")
    return int(grown > BAR)


if __name__ == "__main__":
    raise SystemExit(main())
