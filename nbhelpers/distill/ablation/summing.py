"""From answers on the test part to the numbers of the comparison."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nbhelpers.distill.ablation.paired import ap_of_draws, draws_of, paired_difference
from nbhelpers.distill.ablation.report import Ablation, Row
from nbhelpers.distill.evaluate import SetResults
from nbhelpers.metrics import Interval

if TYPE_CHECKING:
    from nbhelpers.distill.ablation.arms import Arm
    from nbhelpers.distill.ablation.run import Job

_IOUS: dict[str, float | None] = {"ap": None, "ap50": 0.5}
Drawn = dict[str, NDArray[np.float64]]  # by score name, (seeds, 1 + draws)


def report(
    job: "Job", done: dict[int, dict[str, SetResults]], ceiling: SetResults, wanted: int, draws: int
) -> Ablation:
    """Scores, intervals and gains of every arm.

    Args:
        job: with its trainings.
        done: answers by seed and arm.
        ceiling: answers of the teachers.
        wanted: seeds asked for.
        draws: of the bootstrap.
    """
    weights = draws_of(len(job.test.images), draws, seed=0)
    by_arm = {arm.key: [done[seed][arm.key] for seed in done] for arm in job.arms}
    scores = {key: _draws(results, weights) for key, results in by_arm.items()}
    of_teachers = _draws([ceiling], weights)
    first = scores[job.arms[0].key]
    names = [name for name in first if name in of_teachers]
    return Ablation(
        rows=[_row(job, arm, scores[arm.key], first, list(done)) for arm in job.arms],
        ceiling={name: _interval(of_teachers[name], job) for name in names},
        seeds=list(done),
        n_test=len(job.test.images),
        n_val=len(job.val.images),
        monitor="segm_ap" if "segm_ap" in names else "bbox_ap",
        settings=job.settings.model_dump(),
        left=(wanted - len(done)) * len(job.arms),
    )


def _draws(results: list[SetResults], weights: NDArray[np.float64]) -> Drawn:
    """By score name, (seeds, 1 + draws)."""
    truth = results[0].ground_truth
    return {
        f"{kind}_{name}": ap_of_draws(truth, [one.results for one in results], weights, kind, iou)
        for kind in results[0].kinds
        for name, iou in _IOUS.items()
    }


def _interval(drawn: NDArray[np.float64], job: "Job") -> Interval:
    seen = paired_difference(drawn, np.zeros_like(drawn))
    return Interval(seen.value, seen.low, seen.high, seen.level, len(job.test.images), seen.draws)


def _row(
    job: "Job",
    arm: "Arm",
    scores: Drawn,
    first: Drawn,
    seeds: list[int],
) -> Row:
    train, plan = job.sets[arm.pseudo], job.trained[arm.key, seeds[0]].plan
    others = {} if arm is job.arms[0] else first
    return Row(
        key=arm.key,
        title=arm.title,
        scores={name: [float(value) for value in drawn[:, 0]] for name, drawn in scores.items()},
        intervals={name: _interval(drawn, job) for name, drawn in scores.items()},
        differences={name: paired_difference(scores[name], drawn) for name, drawn in others.items()},
        images=len(train.images),
        objects=len(train.annotations),
        pseudo=sum(item.get("source") == "teacher" for item in train.annotations),
        steps=math.ceil(plan["epochs"] * len(train.images) / plan["batch"]),
        seconds=float(np.mean([job.trained[arm.key, seed].seconds for seed in seeds])),
    )
