"""A small tuning, killed in the middle; run as a script by a test.

`python killed_tuning.py FOLDER` forks a child per call of `tune_video`, so that torch is imported once, and
prints what each ended in as JSON.
"""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import torch
import torch.utils.tensorboard
import video_models

from nbhelpers.data.operations import draw_clip
from nbhelpers.settings import VideoSection
from nbhelpers.training import run as run_module
from nbhelpers.video import tune_video

TRAIN = [draw_clip(31, index, "shifted") for index in range(10)]
VAL = [draw_clip(32, index, "shifted") for index in range(4)]
MODELS = {"qwen2_5_vl": video_models.twin, "qwen3_vl": video_models.qwen3}
ROLES = {"qwen2_5_vl": ("text", "vision"), "qwen3_vl": ("text.attention",)}
KILL_AT = 5


def settings(family):
    return VideoSection(
        roles=ROLES[family], r=4, batch=2, accumulate=2, steps=8, validations=2, val_clips=4, dropout=0.1,
        learning_rate=3e-3, checkpoint_minutes=0.0,
    )  # fmt: skip


def child(family, folder, kill):
    """Tune in a process of its own; returns the signal it died of, or 0."""
    process = os.fork()
    if process == 0:
        torch.set_num_threads(1)
        if kill:
            original = run_module.Run._step

            def step(self):
                original(self)
                if self.state.step == KILL_AT:
                    os.kill(os.getpid(), signal.SIGKILL)  # after the step, before its checkpoint

            run_module.Run._step = step
        tuned = tune_video(MODELS[family](), TRAIN, VAL, settings(family), folder, say=lambda _: None)
        history = [{k: v for k, v in row.items() if k != "seconds"} for row in tuned.history]
        (folder / "said.json").write_text(json.dumps({"history": history, "resumed": tuned.resumed}))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def ended(folder):
    said = json.loads((folder / "said.json").read_text())
    weights = (folder / "adapter" / "adapter_model.safetensors").read_bytes()
    return said | {"adapter": hashlib.sha256(weights).hexdigest()}


def main(root):
    found = {}
    for family in MODELS:
        whole, cut = root / f"{family}-whole", root / f"{family}-cut"
        codes = [child(family, whole, False), child(family, cut, True), child(family, cut, False)]
        found[family] = {"codes": codes, "whole": ended(whole), "cut": ended(cut)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
