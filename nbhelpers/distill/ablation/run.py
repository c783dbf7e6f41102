"""Train the students of the comparison, each once, and score them on images that none of them has seen."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import read_json, sha256_file, sha256_value, write_json
from nbhelpers.distill.ablation.arms import Arm, arms_of
from nbhelpers.distill.ablation.report import Ablation
from nbhelpers.distill.ablation.summing import report
from nbhelpers.distill.evaluate import SetResults, ground_truth_for, kinds_of, run_on_set
from nbhelpers.errors import BadInput, CheckFailed

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.distill.auto import Plan
    from nbhelpers.distill.teacher_targets import TeacherTargets
    from nbhelpers.distill.trained import TrainedStudent
    from nbhelpers.settings.sections import DistillSection
    from nbhelpers.teach.grounded_sam import GroundedSam

Say = Callable[[str], None]


def run_ablation(
    labelled: "CocoSet",
    images: "Path | str | CocoSet",
    teachers: "GroundedSam",
    val: "CocoSet",
    test: "CocoSet",
    settings: "DistillSection",
    folder: Path,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    device: str = "cpu",
    draws: int = 1000,
    end_at: float | None = None,
    say: Say = print,
) -> Ablation:
    """Compare students trained on few labels with students that teachers help, over several seeds.

    Students of all kinds see as many images in batches of one size (`arms.Arm.settings`); the teachers'
    scores are the ceiling. Called again, also after a kill, what is finished is taken as it is: labels,
    trainings and answers on the test part. The seed changes a student's first weights and its batches; which
    images have labels, and with them the teachers, stays the same.

    Args:
        labelled: the images whose labels may be used.
        images: what the teachers label, a folder or a set whose annotations are not looked at. The labelled
            images should be among them: their features and class scores are learnt from too.
        teachers: tuned on `labelled`, with thresholds.
        val: chooses the weights of each training.
        test: scores; seen by nothing before.
        settings: section `distill`; `losses.feature` and `losses.logit` above 0 are what is compared.
        folder: of the comparison: `labels/`, one folder per training, `ablation.json`.
        seeds: of the trainings, one student of each kind per seed.
        device: "cpu" or "cuda:0".
        draws: of the bootstrap.
        end_at: seconds since 1970 after which no training is begun, and one under way stops; the comparison
            is then of the seeds that are complete.
        say: takes the lines meant for people.

    Raises:
        BadInput: sets or settings that cannot be used.
        CheckFailed: the deadline came before the first seed was complete, or before the labels were.
    """
    job = _prepare(labelled, images, teachers, val, test, settings, Path(folder), device, end_at, say)
    done = job.train_all(list(seeds))
    ceiling = job.teachers_on_test(teachers)
    ablation = report(job, done, ceiling, len(seeds), draws)
    ablation.save(job.folder / "ablation.json")
    return ablation


@dataclass
class Job:
    """One call of `run_ablation`, labels made.

    Attributes:
        sets: what is learnt from, by whether pseudo-labels are in it.
        targets: the teachers' features of these images; None where no feature loss is compared.
        arms, student, plan: what is trained; the rest is as it was given.
        trained: finished trainings by arm and seed.
    """

    sets: "dict[bool, CocoSet]"
    targets: "TeacherTargets | None"
    arms: list[Arm]
    student: str
    plan: "Plan"
    val: "CocoSet"
    test: "CocoSet"
    settings: "DistillSection"
    folder: Path
    device: str
    end_at: float | None
    say: Say
    trained: "dict[tuple[str, int], TrainedStudent]" = field(default_factory=dict)

    @property
    def budget(self) -> int:
        """Images that each training sees."""
        return self.plan.epochs * len(self.sets[True].images)

    def train_all(self, seeds: list[int]) -> dict[int, dict[str, SetResults]]:
        """By seed and arm, each student's answers on the test part; complete seeds alone."""
        from nbhelpers.runtime import progress

        done: dict[int, dict[str, SetResults]] = {}
        with progress(total=len(seeds) * len(self.arms), label="ablation", unit="student") as bar:
            for seed in seeds:
                found = {}
                for arm in self.arms:
                    if not self._train(arm, seed):
                        return self._complete(done)
                    found[arm.key] = self._answers(arm, seed)
                    bar.update()
                done[seed] = found
        return done

    def _complete(self, done: dict[int, dict[str, SetResults]]) -> dict[int, dict[str, SetResults]]:
        if not done:
            raise CheckFailed(
                f"{self.folder}: the deadline came before the students of one seed were trained; call again"
            )
        return done

    def _train(self, arm: Arm, seed: int) -> bool:
        """Train one student, or take it as it is; False where the deadline cut it short."""
        from nbhelpers.distill.training import train_student

        left_s = math.inf if self.end_at is None else self.end_at - time.time()
        train = self.sets[arm.pseudo]
        settings = arm.settings(self.settings, self.plan, len(train.images), self.budget, seed)
        folder = self._folder(arm, seed)
        if left_s <= 0 and not (folder / "training.json").exists():
            return False
        limit = min(settings.max_minutes, max(left_s, 1.0) / 60)
        trained = train_student(
            train,
            self.val,
            settings.model_copy(update={"max_minutes": limit}),
            folder,
            self.device,
            self.student,
            teacher=self.targets if arm.losses.feature > 0 else None,
            say=lambda line: None,
        )
        if trained.stopped != "epochs":
            self._refuse_short(arm, limit, settings.max_minutes)
            return False
        self.trained[arm.key, seed] = trained
        self.say(f"{arm.title}, seed {seed}: {trained.seconds:.0f} s of training")
        return True

    def _refuse_short(self, arm: Arm, limit: float, wanted: float) -> None:
        if limit >= wanted:
            raise CheckFailed(
                f"{arm.title}: stopped after distill.max_minutes={wanted:g}, so it cannot be compared with "
                f"the others; raise max_minutes or lower the epochs"
            )

    def _folder(self, arm: Arm, seed: int) -> Path:
        return self.folder / f"{arm.key}-{seed}"

    def _answers(self, arm: Arm, seed: int) -> SetResults:
        from nbhelpers.distill.students import load_student

        best = self.trained[arm.key, seed].best
        path = self._folder(arm, seed) / "test-results.json"
        return self._kept(path, sha256_file(best), lambda: load_student(best, self.device))

    def teachers_on_test(self, teachers: "GroundedSam") -> SetResults:
        """The teachers' answers on the test part."""
        mark = sha256_value(teachers.identity())
        return self._kept(self.folder / "teachers-test-results.json", mark, lambda: teachers)

    def _kept(self, path: Path, mark: str, model: Callable[[], Any]) -> SetResults:
        """A model's answers on the test part, from `path` if they are there."""
        wanted = sha256_value(
            [mark, self.test.to_dict(), [self.test.image_path(i).stat().st_size for i in self.test.image_ids]]
        )
        if path.exists() and (kept := read_json(path))["of"] == wanted:
            truth, _ = ground_truth_for(kept["class_names"], self.test)
            return SetResults(kept["results"], truth, kinds_of(kept["task"], truth))
        made = model()
        found = run_on_set(made, self.test)
        record = {"of": wanted, "class_names": made.class_names, "task": made.task, "results": found.results}
        write_json(path, record, indent=None)
        return found


def _prepare(
    labelled: "CocoSet",
    images: "Path | str | CocoSet",
    teachers: "GroundedSam",
    val: "CocoSet",
    test: "CocoSet",
    settings: "DistillSection",
    folder: Path,
    device: str,
    end_at: float | None,
    say: Say,
) -> Job:
    """Have the teachers label, and mix their labels with people's."""
    from nbhelpers.data import detect_mode
    from nbhelpers.distill.auto import make_plan
    from nbhelpers.distill.mixing import mix_by
    from nbhelpers.distill.students import family_of, student_for
    from nbhelpers.distill.teacher_targets import TeacherTargets

    wanted = settings.student
    student = student_for(detect_mode(labelled)) if wanted == "auto" else wanted
    arms = arms_of(settings.losses, 1 if family_of(student).class_agnostic else len(labelled.class_names))
    pseudo, features = _label(teachers, images, folder, settings.losses.feature > 0, end_at, say)
    mixed = mix_by(settings, labelled, pseudo)
    targets = TeacherTargets(features, mixed) if features is not None else None
    sets = {False: labelled, True: mixed}
    plan = make_plan(mixed, settings, device)
    if not any(item.get("source") == "teacher" for item in mixed.annotations):
        raise BadInput(
            f"{folder}: the teachers labelled nothing that people had not: there is nothing to compare; "
            f"lower their thresholds, or give them other images"
        )
    return Job(sets, targets, arms, student, plan, val, test, settings, folder, device, end_at, say)


def _label(
    teachers: "GroundedSam",
    images: "Path | str | CocoSet",
    folder: Path,
    features: bool,
    end_at: float | None,
    say: Say,
) -> "tuple[CocoSet, Path | None]":
    from nbhelpers.distill.pseudo_labels import label_images

    minutes = None if end_at is None else max(0.0, end_at - time.time()) / 60
    run = label_images(teachers, images, folder / "labels", features=features, max_minutes=minutes, say=say)
    if run.left:
        raise CheckFailed(f"{run.path}: the deadline left {run.left} images unlabelled; call again")
    return run.load(), run.features
