"""Patches of this project beside those of the Adversarial Robustness Toolbox (ART), on one model both accept.

The toolbox is no dependency of the project. Put it into a folder of its own, which nothing else sees:

    python -m pip install --no-deps --target build/art 'adversarial-robustness-toolbox>=1.20,<2' \
        'scikit-learn>=1.7,<2' 'threadpoolctl>=3,<4' 'narwhals>=2,<3'
    PYTHONPATH=build/art python benchmarks/attack_art.py

The model is a classifier of the larger object's kind: the vision tower of tiny/gemma-3 with a linear layer
on its averaged features, fitted on drawn scenes. Both make a round patch with Adam, from batches of the same
size of the same pictures, for the same steps, at any place, with the same ranges of scale and turn. Both are
scored on the same held-out pictures by either side's own way of laying a patch, rounded to 8 bits.
"""

import argparse
import json
import time
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from nbhelpers.attack.batches import batches_of, pose_ranges
from nbhelpers.attack.compose import paste
from nbhelpers.attack.laying import Lay, laid, questions_of, to_floats
from nbhelpers.attack.optimizers import make_optimizer
from nbhelpers.attack.patch import make_patch
from nbhelpers.data.pictures import drawn_pictures
from nbhelpers.metrics import proportion
from nbhelpers.models import load
from nbhelpers.settings import AttackSection
from nbhelpers.training.schedules import factor
from nbhelpers.training.settings import FitSettings

SIDE = 64


class Classifier(nn.Module):
    """Kinds from pictures (N, 3, 64, 64) in 0..1."""

    def __init__(self, tower, kinds):
        super().__init__()
        self.tower, self.head = tower, nn.Linear(tower.config.hidden_size, kinds)

    def features(self, pictures):
        return self.tower(pixel_values=pictures * 2 - 1).last_hidden_state.mean(1)

    def forward(self, pictures):
        return self.head(self.features(pictures))


def fitted(tower, pictures, labels, kinds):
    """The linear layer by LBFGS on frozen features."""
    model = Classifier(tower, kinds).eval()
    with torch.no_grad():
        features = torch.cat([model.features(part) for part in pictures.split(64)])
    mean, spread = features.mean(0), features.std(0)
    optimizer = torch.optim.LBFGS(model.head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        scaled = (features - mean) / spread
        loss = nn.functional.cross_entropy(model.head(scaled), labels)
        loss = loss + 1e-3 * model.head.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        model.head.weight.div_(spread)
        model.head.bias.sub_(model.head.weight @ mean)
    return model.requires_grad_(False)


def ours(model, part, settings, target):
    """(patch RGB (3, P, P), mask, seconds per step)."""
    patch = make_patch("noise", settings.shape, settings.patch_px, settings.seed, settings.detail)
    source = batches_of(part, settings, SIDE, patch.mask, "any", {})
    optimizer = make_optimizer("adam", patch, settings.learning_rate)
    course = FitSettings(steps=settings.steps, final_factor=0.05)
    began = time.process_time()
    for step in range(settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * factor(step, course)
        batch = source(step)
        shown = paste(batch["pictures"], patch.pixels(), patch.mask, batch["corners"])
        wanted = torch.full((len(shown),), target)
        loss = nn.functional.cross_entropy(model(shown), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    seconds = (time.process_time() - began) / settings.steps
    return patch.pixels().detach(), patch.mask, seconds


def theirs(model, part, settings, target, share, kinds, rate):
    """(ART's attack, patch RGB (3, P, P), seconds per step)."""
    from art.attacks.evasion import AdversarialPatchPyTorch
    from art.estimators.classification import PyTorchClassifier

    wrapped = PyTorchClassifier(model, nn.CrossEntropyLoss(), (3, SIDE, SIDE), kinds, clip_values=(0.0, 1.0))
    side = round((share / (np.pi / 4)) ** 0.5 * SIDE)
    low, high = (float(x) for x in settings.eot.scale)
    attack = AdversarialPatchPyTorch(
        wrapped, rotation_max=float(settings.eot.rotation_deg[1]), scale_min=low * side / SIDE,
        scale_max=high * side / SIDE, learning_rate=rate, max_iter=1, batch_size=settings.batch,
        patch_shape=(3, side, side), patch_type="circle", optimizer="Adam", targeted=True, verbose=False,
    )  # fmt: skip
    rng = np.random.default_rng(settings.seed)
    count = settings.steps * settings.batch
    which = rng.integers(len(part.pictures), size=count)
    pictures = to_floats([part.pictures[int(i)].pixels(SIDE) for i in which]).numpy()
    labels = np.eye(kinds, dtype=np.float32)[np.full(count, target)]
    began = time.process_time()
    patch, mask = attack.generate(x=pictures, y=labels)  # one pass over so many pictures: `steps` batches
    return attack, patch, mask, (time.process_time() - began) / settings.steps


def success(model, shown, keep, target):
    with torch.no_grad():
        said = torch.cat([model(part).argmax(1) for part in shown.split(64)])
    return proportion((said == target)[keep].numpy())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.09)
    parser.add_argument("--target", default="wheel")
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[0.05, 0.15, 0.5], help="of ART, best counts"
    )
    given = parser.parse_args()
    torch.set_num_threads(1)
    settings = AttackSection(
        steps=given.steps, share=given.share, shape="circle", patch_px=32, detail=8, learning_rate=0.15,
        batch=24,
        eot={"scale": (0.95, 1.0), "rotation_deg": (-20, 20)}, pictures=1400,
    )  # fmt: skip
    data = drawn_pictures(settings.pictures, "train:0.7,test:0.3", ["larger"])
    kinds = sorted({one.answers["larger"].split()[1] for one in data.part("train").pictures})
    target = kinds.index(given.target)

    def tensors(part):
        labels = [kinds.index(one.answers["larger"].split()[1]) for one in part.pictures]
        return to_floats([one.pixels(SIDE) for one in part.pictures]), torch.tensor(labels)

    tower = load("tiny/gemma-3", task="attack", device="cpu").model.model.vision_tower
    train, test = tensors(data.part("train")), tensors(data.part("test"))
    model = fitted(tower, *train, len(kinds))
    with torch.no_grad():
        right = float((model(test[0]).argmax(1) == test[1]).float().mean())
    print(f"classifier of {len(kinds)} kinds: accuracy {right:.3f} on {len(test[1])} held-out pictures")
    keep = test[1] != target
    questions = questions_of(data.part("test"), len(test[1]), 0)
    lay = Lay(settings.share, 1, SIDE, pose_ranges(settings), 11)

    def by_ours(pixels, mask):
        return to_floats(laid(questions, pixels, mask, lay))

    rows = [("clean", success(model, test[0], keep, target), None, None)]
    pixels, mask, seconds = ours(model, data.part("train"), settings, target)
    made = {"nbhelpers": SimpleNamespace(pixels=pixels, mask=mask, seconds=seconds)}
    attacks = {}
    for rate in given.rates:
        attack, art_pixels, art_mask, art_s = theirs(
            model, data.part("train"), settings, target, given.share, len(kinds), rate
        )
        attacks[f"ART, rate {rate:g}"] = attack
        tensor = torch.from_numpy(np.asarray(art_pixels, np.float32)).clamp(0, 1)
        outline = torch.from_numpy(np.asarray(art_mask, np.float32))[0]
        made[f"ART, rate {rate:g}"] = SimpleNamespace(pixels=tensor, mask=outline, seconds=art_s)
    lender = next(iter(attacks.values()))
    for name, one in made.items():
        mine = success(model, by_ours(one.pixels, one.mask), keep, target)
        applied = lender.apply_patch(
            test[0].numpy(), scale=(given.share / (np.pi / 4)) ** 0.5, patch_external=_fit(one.pixels, lender)
        )
        other = success(model, torch.from_numpy(applied).mul(255).round() / 255, keep, target)
        rows.append((name, mine, other, one.seconds))
    print(f"{'':16} success, laid by nbhelpers   laid by ART              ms per step")
    for name, mine, other, seconds in rows:
        text = f"{mine.value:.3f} ({mine.low:.3f} to {mine.high:.3f})"
        more = f"{other.value:.3f} ({other.low:.3f} to {other.high:.3f})" if other else "-"
        print(f"{name:16} {text:27} {more:24} {f'{seconds * 1000:.1f}' if seconds else '-'}   n {mine.n}")
    best = max((row for row in rows if row[0].startswith("ART")), key=lambda row: row[1].value)
    own = next(row for row in rows if row[0] == "nbhelpers")
    print(
        f"per step {best[3] / own[3]:.2f} times as fast as ART; success {own[1].value:.3f} to "
        f"{best[1].value:.3f}"
    )
    print(json.dumps({"ours": own[1].value, "art": best[1].value, "speed": best[3] / own[3], "n": own[1].n}))


def _fit(pixels, attack):
    """The patch in the number of pixels that an attack of ART has."""
    size = attack.patch_shape[1:]
    small = nn.functional.interpolate(pixels[None], size=size, mode="bilinear", antialias=True)[0]
    return small.clamp(0, 1).numpy()


if __name__ == "__main__":
    main()
