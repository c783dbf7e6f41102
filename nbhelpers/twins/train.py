"""Train a twin, measure it, put it where `load` finds it."""

import inspect
import logging
import secrets
import shutil
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from nbhelpers.artifacts import read_json, sha256_file, sha256_value, write_atomic, write_json
from nbhelpers.errors import BadInput
from nbhelpers.models.places import twin_folder, twins_root
from nbhelpers.twins.card import write_card
from nbhelpers.twins.clock import WorkClock
from nbhelpers.twins.recipe import Recipe
from nbhelpers.twins.registry import find_recipe
from nbhelpers.twins.report import FILE, TwinReport, read_report, weight_sizes, write_report
from nbhelpers.twins.work import one_thread, work_folder

log = logging.getLogger(__name__)
_LIBRARIES = ("torch", "transformers", "tokenizers", "numpy")


def train_twin(name: str, folder: Path | None = None, seed: int = 0, *, fresh: bool = False) -> TwinReport:
    """Train in the work folder, evaluate, write `evaluation.json` and the card, put all of it in `folder`.

    A call that was killed is gone on with by the next one; one that was done is trained anew. A twin that
    misses a check is put there too: the report and the card say so.

    Args:
        name: such as "sam" or "tiny/sam".
        folder: where the finished twin goes, replacing what is there; `checkpoints/tiny/<name>` by default.
        seed: of data and weights.
        fresh: forget what an earlier, unfinished call left.

    Raises:
        BadInput: no such twin; lists those there are.
    """
    recipe = find_recipe(name)
    work = work_folder(recipe.name, seed)
    if fresh:
        shutil.rmtree(work)
        work.mkdir()
    _note_code(recipe, work)
    made = work / "finished"
    with one_thread():
        with WorkClock(work / "clock.json") as clock:
            recipe.train(made, seed)
        report = _measure(recipe, made, seed, clock)
    _publish(made, folder or twins_root() / recipe.name)
    _set_aside(work)
    return report


def _measure(recipe: Recipe, made: Path, seed: int, clock: WorkClock) -> TwinReport:
    import torch

    parameters, weight_bytes = weight_sizes(made)
    report = TwinReport(
        name=recipe.name,
        model_class=recipe.model_class,
        seed=seed,
        evaluation=recipe.evaluate(made, seed),
        parameters=parameters,
        weight_bytes=weight_bytes,
        seconds=round(clock.seconds, 1),
        processor_s=round(clock.processor_s, 1),
        threads=torch.get_num_threads(),
        versions={library: version(library) for library in _LIBRARIES},
    )
    _write(recipe, made, report)
    return report


def _write(recipe: Recipe, folder: Path, report: TwinReport) -> None:
    write_report(folder, report)
    write_atomic(folder / "README.md", write_card(recipe, report))


def _publish(made: Path, folder: Path) -> None:
    """Copy beside `folder`, then swap: whoever loads meanwhile finds the old twin or the new one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{folder.name}-*"):  # by a kill in the middle of this
        shutil.rmtree(left)
    mark = secrets.token_hex(4)
    new, old = (folder.parent / f".{folder.name}-{mark}-{what}" for what in ("new", "old"))
    shutil.copytree(made, new)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _set_aside(work: Path) -> None:
    """Keep the records of a finished training, but let the next one begin anew."""
    done = work.with_name(f"{work.name}.done")
    if done.exists():
        shutil.rmtree(done)
    work.rename(done)


def _note_code(recipe: Recipe, work: Path) -> None:
    """Say so when an unfinished training was begun with other code: it goes on all the same."""
    path, mark = work / "code.json", _code_mark(recipe)
    if not path.exists():
        write_json(path, {"sha256": mark})
    elif read_json(path).get("sha256") != mark:
        log.warning(
            "twin %s: its recipe has changed since the training in %s began, which is gone on with; "
            "begin anew with fresh=True (--fresh)",
            recipe.name,
            work,
        )


def _code_mark(recipe: Recipe) -> str:
    """A hash of the Python files of the recipe's package."""
    function = getattr(recipe.train, "func", recipe.train)  # of a `functools.partial`
    home = Path(inspect.getfile(inspect.unwrap(function))).parent
    return sha256_value({path.name: sha256_file(path) for path in sorted(home.glob("*.py"))})


def evaluate_twin(
    name: str, folder: Path | None = None, seed: int | None = None, *, write: bool = False
) -> TwinReport:
    """Measure a trained twin on held-out drawn data.

    Args:
        name: such as "sam" or "tiny/sam".
        folder: of the twin; the one shipped with the package or clone by default.
        seed: of its training, from which the data is held out; by default the one it was trained with.
        write: bring `evaluation.json` and the card up to date.

    Raises:
        BadInput: no such twin, or it has not been trained.
    """
    recipe = find_recipe(name)
    folder = folder or twin_folder(recipe.name)
    if not (folder / FILE).exists():
        raise BadInput(
            f"{folder}: holds no {FILE}; train the twin with `nbhelpers twins train {recipe.name}`"
        )
    before = read_report(folder)
    with one_thread():
        evaluation = recipe.evaluate(folder, before.seed if seed is None else seed)
    parameters, weight_bytes = weight_sizes(folder)
    report = replace(before, evaluation=evaluation, parameters=parameters, weight_bytes=weight_bytes)
    if write:
        _write(recipe, folder, report)
    return report


def trained_twin(name: str) -> TwinReport | None:
    """What is known of the twin in `checkpoints/tiny`, or None while it has not been trained."""
    folder = twins_root() / find_recipe(name).name
    return read_report(folder) if (folder / FILE).exists() else None
