"""A small attack, killed in the middle; run as a script by a test.

`python killed_attack.py FOLDER` forks a child per call of `optimise`, so that torch is imported once, and
prints what each ended in as JSON.
"""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import attack_models
import torch
import torch.utils.tensorboard

from nbhelpers.attack import Victim, optimise
from nbhelpers.data.pictures import drawn_pictures
from nbhelpers.settings import AttackSection
from nbhelpers.training import run as run_module

KILL_AT = 5
WEAR = {
    "scale": (0.7, 1.0), "perspective": 0.05, "gamut": (0, 1), "brightness": (0.8, 1.2), "noise": (0, 0.02),
    "blur_px": (0, 0.5), "jpeg": (60, 95),
}  # fmt: skip


def settings(**changes):
    given = {
        "steps": 8, "batch": 3, "accumulate": 2, "validations": 2, "val_pictures": 6, "patch_px": 12,
        "checkpoint_minutes": 0.0, "optimizer": "sign", "learning_rate": 0.05, "tv": 0.01, "nps": 0.01,
        "eot": WEAR,
    }  # fmt: skip
    return AttackSection(**given | changes)


def pictures(count=40):
    return drawn_pictures(count, "train:0.5,val:0.25,test:0.25", ["larger"])


def child(folder, kill):
    """Attack in a process of its own; returns the signal it died of, or 0."""
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
        data = pictures()
        made = optimise(
            Victim(attack_models.twin()), data.part("train"), data.part("val"), settings(), folder,
            target="blue wheel", say=lambda _: None,
        )  # fmt: skip
        history = [{k: v for k, v in row.items() if k != "seconds"} for row in made.history]
        (folder / "said.json").write_text(json.dumps({"history": history, "resumed": made.resumed_from}))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def ended(folder):
    said = json.loads((folder / "said.json").read_text())
    files = [folder / "patch.png", *sorted((folder / "growth").iterdir())]
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return said | {"files": digests}


def main(root):
    attack_models.twin()
    whole, cut = root / "whole", root / "cut"
    codes = [child(whole, False), child(cut, True), child(cut, False)]
    print(json.dumps({"codes": codes, "whole": ended(whole), "cut": ended(cut)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
