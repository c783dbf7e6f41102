"""Optimise a patch: the house's training loop over one small module, the victim frozen beside it."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import Metric, read_json, sha256_value, write_json
from nbhelpers.attack.batches import PatchLoss, batches_of, pose_ranges
from nbhelpers.attack.evaluation import Goal, success_of
from nbhelpers.attack.laying import Lay, Question, questions_of
from nbhelpers.attack.optimised import Optimised
from nbhelpers.attack.optimizers import make_optimizer
from nbhelpers.attack.patch import Patch, make_patch, save_png
from nbhelpers.attack.pictures import Part
from nbhelpers.attack.rungs import picture_side
from nbhelpers.attack.victim import Victim
from nbhelpers.errors import CheckFailed

if TYPE_CHECKING:
    from nbhelpers.settings import AttackSection
    from nbhelpers.training import FitResult, FitSettings

PNG, RECORD, GROWTH = "patch.png", "patch.json", "growth"
# What may change between two calls without making another optimisation of it.
_FREE = {
    "max_minutes",
    "checkpoint_minutes",
    "tensorboard",
    "ask_batch",
    "test_pictures",
    "print_mm",
    "print_dpi",
}
_VALIDATION_SEED, _JUDGING_SEED = 5, 11


def optimise(
    victim: Victim,
    train: Part,
    val: Part,
    settings: "AttackSection",
    folder: Path,
    *,
    target: str | None = None,
    start: str | Path | None = None,
    say: Callable[[str], None] = print,
) -> Optimised:
    """Make a patch that provokes `target`, or anything but the right answer where there is none.

    Called again with the same inputs it returns the finished patch at once; after a kill it goes on from the
    last checkpoint and ends in the same bits. With other inputs it begins anew in the same folder.

    Args:
        victim: with a frozen model; it is hashed before and after.
        train: pictures and questions to learn from.
        val: others, on which the best step is chosen.
        settings: the section `attack`.
        folder: of this patch alone: `patch.png`, `patch.json`, `growth/`, `optimisation/` (checkpoint,
            records, TensorBoard).
        target: an answer.
        start: instead of `settings.start`.
        say: takes the lines meant for people.

    Raises:
        BadInput: settings that cannot be met.
        CheckFailed: the victim's weights changed, or a loss is not finite.
    """
    job = _Job(victim, train, val, settings, Path(folder), target, str(start or settings.start))
    done = _finished(job)
    if done is not None:
        say(f"{job.folder.name}: finished before, taken as it is; {done.summary()}")
        return done
    _make_way(job)
    return _optimise(job, say)


@dataclass
class _Job:
    """What was asked for."""

    victim: Victim
    train: Part
    val: Part
    settings: "AttackSection"
    folder: Path
    target: str | None
    start: str

    @property
    def side_px(self) -> int:
        return picture_side(self.settings, self.victim.loaded.config)

    def patch(self) -> Patch:
        """As it is before the first step."""
        s = self.settings
        return make_patch(self.start, s.shape, s.patch_px, s.seed, s.detail)

    @property
    def mark(self) -> dict[str, Any]:
        """Everything that decides the bits of the patch."""
        settings = {key: value for key, value in self.settings.model_dump().items() if key not in _FREE}
        start = Path(self.start)
        return {
            "settings": settings,
            "target": self.target,
            "start": _digest(start) if start.is_file() else self.start,
            "model": [self.victim.loaded.name, self.victim.loaded.revision, self.victim.loaded.quantize],
            "pictures": {name: _names(part) for name, part in (("train", self.train), ("val", self.val))},
        }

    @property
    def lay(self) -> Lay:
        return lay_of(self.settings, self.side_px, _VALIDATION_SEED)


def _digest(path: Path) -> str:
    from nbhelpers.artifacts import sha256_file

    return sha256_file(path)


def _names(part: Part) -> str:
    return sha256_value([[one.name for one in part.pictures], [one.text for one in part.prompts]])


def lay_of(settings: "AttackSection", side_px: int, seed: int) -> Lay:
    """How a patch of these settings is laid: its share, its places, scales and turns, drawn from a seed."""
    return Lay(settings.share, settings.count, side_px, pose_ranges(settings), seed)


def judging_lay(settings: "AttackSection", victim: Victim) -> Lay:
    """How a patch is laid when it is scored: places that no step and no validation has seen."""
    side_px = picture_side(settings, victim.loaded.config)
    return lay_of(settings, side_px, 2 * settings.seed + _JUDGING_SEED)


def _finished(job: _Job) -> Optimised | None:
    record = job.folder / RECORD
    if not record.is_file() or not (job.folder / PNG).is_file():
        return None
    kept = read_json(record)
    if kept["settings_hash"] != sha256_value(job.mark):
        return None
    if kept["stopped"] == "deadline" and job.settings.max_minutes * 60 > kept["seconds"]:
        return None
    growth = {int(step): job.folder / name for step, name in kept.pop("growth").items()}
    return Optimised(**{**kept, "png": job.folder / PNG, "growth": growth})


def _make_way(job: _Job) -> None:
    """Begin anew where the folder holds an optimisation of other inputs."""
    marker = job.folder / "inputs.json"
    digest = sha256_value(job.mark)
    if marker.is_file() and read_json(marker)["hash"] != digest:
        for name in (GROWTH, "optimisation"):
            shutil.rmtree(job.folder / name, ignore_errors=True)
        for name in (PNG, RECORD):
            (job.folder / name).unlink(missing_ok=True)
    write_json(marker, {"hash": digest, **job.mark})


def _optimise(job: _Job, say: Callable[[str], None]) -> Optimised:
    from nbhelpers.memory import watch
    from nbhelpers.training import fit

    victim, settings = job.victim, job.settings
    before = victim.fingerprint()
    patch = job.patch().to(victim.loaded.device)
    references = {} if job.target else reference_answers(victim, job.train, job.side_px)
    loss = PatchLoss(victim, settings, job.target is not None)
    source = batches_of(job.train, settings, job.side_px, patch.mask, job.target, references)
    validate = _Validation(job, loss)
    with watch(0.05) as seen:
        fitted = fit(
            patch, source, loss, fit_settings(settings, victim), job.folder / "optimisation",
            optimizer=lambda module: make_optimizer(settings.optimizer, module, settings.learning_rate),
            validate=validate, end_at=time.time() + 60 * settings.max_minutes, data=job.mark,
        )  # fmt: skip
    save_png(patch.image(), job.folder / PNG)
    on_gpu = victim.loaded.device.startswith("cuda")
    peak = sum(seen.gpu_peak_bytes.values()) if on_gpu else seen.grown_bytes
    made = _account(job, fitted, before, peak)
    say(f"{job.folder.name}: {made.summary()}")
    return made


def _account(job: _Job, fitted: "FitResult", before: str, peak: int) -> Optimised:
    after = job.victim.fingerprint()
    if after != before:
        raise CheckFailed(
            f"the weights of {job.victim.loaded.name} changed during the attack ({before} to {after}): "
            "its successes would be the training's, not the patch's"
        )
    steps, _ = fitted.series("success")
    growth = {step: job.folder / GROWTH / f"step-{step:05d}.png" for step in [0, *steps]}
    made = Optimised(
        job.folder / PNG, job.target, fitted.steps, fitted.stopped, fitted.seconds, fitted.best,
        fitted.best_step, growth, fitted.history, sha256_value(job.mark), before, after,
        job.victim.loaded.plan.needed, peak, fitted.resumed_from,
    )  # fmt: skip
    kept = {
        **vars(made),
        "png": PNG,
        "growth": {step: f"{GROWTH}/{path.name}" for step, path in growth.items()},
    }
    write_json(job.folder / RECORD, kept)
    return made


def reference_answers(victim: Victim, part: Part, side_px: int) -> dict[tuple[str, str], str]:
    """Right answers by picture and task; where nobody knows one, what the model says without a patch."""
    known = {(one.name, task): text for one in part.pictures for task, text in one.answers.items()}
    first = {prompt.task: prompt.text for prompt in reversed(part.prompts)}
    open_ones = [(one, task) for one in part.pictures for task in first if (one.name, task) not in known]
    if open_ones:
        pictures = [one.pixels(side_px) for one, _ in open_ones]
        said = victim.answers(pictures, [first[task] for _, task in open_ones], label="clean answers")
        known |= {(one.name, task): text for (one, task), text in zip(open_ones, said, strict=True)}
    return known


def fit_settings(settings: "AttackSection", victim: Victim) -> "FitSettings":
    """The loop's settings: cosine to a tenth, autocast by the family's rule for this machine."""
    from nbhelpers.training import FitSettings, autocast_for

    return FitSettings(
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        final_factor=0.05,
        weight_decay=0.0,
        clip=None,
        accumulate=settings.accumulate,
        precision=autocast_for(victim.loaded.dtype, settings.precision),
        checkpoint_every_s=60 * settings.checkpoint_minutes,
        validate_every=max(1, settings.steps // settings.validations),
        monitor="held",
        patience=settings.patience,
        seed=settings.seed,
        tensorboard=settings.tensorboard,
    )


class _Validation:
    """Writes the patch as a PNG and scores it from there, as the evaluation will."""

    def __init__(self, job: _Job, loss: PatchLoss) -> None:
        self._job, self._loss = job, loss
        self._questions: list[Question] = questions_of(job.val, job.settings.val_pictures, job.settings.seed)
        self._snapshot(job.patch(), 0)

    def _snapshot(self, patch: Patch, step: int) -> Path:
        return save_png(patch.image(), self._job.folder / GROWTH / f"step-{step:05d}.png")

    def __call__(self, patch: Patch) -> dict[str, float]:
        """`success`, and `held`: no more than what is enough, so that holding it is no progress."""
        settings = self._job.settings
        png = self._snapshot(patch, self._loss.number // settings.accumulate + 1)
        goal = Goal(self._job.target, settings.match)
        found: Metric
        found, _ = success_of(self._job.victim, png, self._questions, goal, self._job.lay, "validating")
        value = float(found.value or 0.0)
        return {"success": value, "held": min(value, settings.hold)}
