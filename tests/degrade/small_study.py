"""A small experiment on the twin, as tests run it; as a script it is killed in it, once per line it reads."""

import os
import signal
import sys
from pathlib import Path

from nbhelpers import artifacts
from nbhelpers.settings import DegradeSection

CONFIG = Path(__file__).with_name("small") / "small.yaml"
LEVELS = {"mult_gauss": {"default": (0.8,)}, "ablation": {"default": (0.4,)}}
# One lesion, its sham and the baseline.
TINY = {"methods": ("ablation",), "controls": (), "repeats": 1, "prompts": 2}
CELLS = 1 + 3 + 2 * 3  # baseline, shams, two repeats of two methods and a control


def settings(**changes):
    plain = {
        "model": "tiny/gemma-3", "methods": ("mult_gauss", "ablation"), "targets": ("attn_only",),
        "controls": ("norm_matched",), "levels": LEVELS, "repeats": 2, "batch": 2,
    }  # fmt: skip
    return DegradeSection(**{**plain, **changes})


def kill_after(writes, cut):
    """End this process the hard way at its nth line of a journal, with so many bytes of it on disk."""
    from nbhelpers.degrade import bench, journal

    plain, count = artifacts.append_record, [0]

    def append(path, record):
        count[0] += 1
        if count[0] < writes:
            plain(path, record)
            return
        line = (artifacts.to_json(record, indent=None) + "\n").encode()
        with path.open("ab") as file:
            file.write(line if cut is None else line[:cut])
        os.kill(os.getpid(), signal.SIGKILL)

    journal.append_record = bench.append_record = append


def run(folder, loaded, **changes):
    from nbhelpers.degrade.experiment import run_experiment

    return run_experiment(CONFIG, settings(**changes), folder, loaded=loaded, say=lambda line: None)


def main():
    """Load the model once; for each line `folder writes cut` a fork runs until it is killed."""
    import torch

    from nbhelpers.models import load

    torch.set_num_threads(1)  # so that a fork finds no half-locked pool of threads
    loaded = load("tiny/gemma-3", task="infer", device="cpu")
    for line in sys.stdin:
        folder, writes, cut = line.split()
        if child := os.fork():
            print(os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)
            continue
        kill_after(int(writes), None if cut == "none" else int(cut))
        run(Path(folder), loaded)
        os._exit(0)


if __name__ == "__main__":
    main()
