"""A lesion study from end to end: what is asked, of which model, damaged how; resumed after any kill."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.degrade.bench import TIMINGS, Bench, Questions, Stopped
from nbhelpers.degrade.chat import Asked, chat_inputs, check_pictures
from nbhelpers.degrade.generation import Decoding
from nbhelpers.degrade.journal import Journal
from nbhelpers.degrade.manifest import MANIFEST, Manifest, identity, read_manifest, same_experiment, todo
from nbhelpers.degrade.plan import Cell, check_grid, grid
from nbhelpers.degrade.prompts import Configuration, Prompt, get_config
from nbhelpers.degrade.records import RECORDS, records, write_records
from nbhelpers.degrade.sizing import allowed, dry_needs, layout
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.memory import Budget
    from nbhelpers.models import Loaded
    from nbhelpers.settings import DegradeSection

SUMMARY = "summary.json"
_OURS = (MANIFEST, RECORDS, SUMMARY, TIMINGS)


@dataclass(frozen=True)
class Outcome:
    """How a call ended.

    Attributes:
        folder: with `records.jsonl`, `summary.json`, `manifest.json`, `timings.jsonl` and the journals.
        state: `done` or `stopped`.
        reason: why it was stopped.
        done: cells that are in the records.
        total: cells of the grid.
        model: name of the model.
    """

    folder: Path
    state: str
    reason: str
    done: int
    total: int
    model: str


@dataclass
class Study:
    """One experiment in its folder.

    Attributes:
        config: what is asked.
        settings: how.
        folder: of its files.
    """

    config: Configuration
    settings: "DegradeSection"
    folder: Path

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """Those that are asked."""
        return self.config.some(self.settings.prompts)

    @property
    def cells(self) -> list[Cell]:
        """The grid."""
        return grid(self.settings)

    @property
    def decoding(self) -> Decoding:
        """How texts are written."""
        own = self.settings
        return Decoding(own.temperature, own.top_p, own.seed)

    @property
    def experiment(self) -> str:
        """What enters the seed of every lesion: not the configuration, so that all ask the same damage."""
        return f"seed {self.settings.seed}"

    def asked(self) -> list[Asked]:
        """Every prompt in every language that is wanted, those of one kind together, without pictures first.

        Raises:
            BadInput: the configuration has not a language.
        """
        found = []
        for place, prompt in enumerate(self.prompts):
            for language in self.settings.languages:
                if language not in prompt.text or language not in self.config.reference:
                    raise BadInput(f"{self.config.name}: prompt {prompt.name!r} is not there in {language!r}")
                tokens = self.settings.new_tokens or prompt.new_tokens or self.config.new_tokens
                picture = self.config.picture(prompt)
                found.append(Asked(place, prompt.name, language, prompt.text[language], tokens, picture))
        return sorted(found, key=lambda one: one.kind)

    def prepare(self, loaded: "Loaded", budget: "Budget | None", resume: bool) -> Manifest:
        """Check the grid, settle the batches, write or take over the manifest.

        Raises:
            BadInput: a grid the model cannot go through, or another experiment in the folder.
        """
        asked = self.asked()
        check_pictures(loaded, asked)
        check_grid(self.cells, loaded.model, loaded.family)
        who = identity(self.config, asked, self.prompts, self.settings, loaded, asdict(self.decoding))
        if not resume:
            self._forget()
        if (self.folder / MANIFEST).is_file():
            kept = read_manifest(self.folder)
            same_experiment(self.folder, kept, who)
            return kept
        lengths = [int(chat_inputs(loaded, [one])["input_ids"].shape[1]) for one in asked]
        needs = dry_needs(loaded)
        batches = layout(asked, lengths, self.settings.batch, needs, allowed(loaded, budget))
        made = Manifest(who, [cell.name for cell in self.cells], batches)
        made.write(self.folder)
        return made

    def _forget(self) -> None:
        for path in [*self.folder.glob("journal-*.jsonl"), *(self.folder / name for name in _OURS)]:
            path.unlink(missing_ok=True)

    def bench(self, loaded: "Loaded", manifest: Manifest, cells: Sequence[Cell]) -> Bench:
        """The model with its questions, ready for these cells."""
        from nbhelpers.training.deadline import Deadline

        own = self.settings
        questions = Questions(
            self.asked(), manifest.batches, self.decoding,
            {language: self.config.reference[language] for language in own.languages},
            own.window, own.own_perplexity,
        )  # fmt: skip
        deadline = Deadline(None if own.max_minutes is None else 60 * own.max_minutes)
        return Bench(loaded, questions, cells, self.experiment, deadline, own.stop_above, own.verify_every)

    def work(self, loaded: "Loaded", manifest: Manifest, worker: int = 0, workers: int = 1) -> str:
        """Run the cells of one process that are not done; why it stopped, or "" at the end."""
        from nbhelpers.runtime import progress

        journal = Journal(self.folder, worker)
        left = todo(self.cells, journal.finished, worker, workers)
        if not left:
            return ""
        bench = self.bench(loaded, manifest, left)
        try:
            for number, cell in enumerate(progress(left, label="lesions", unit="lesion"), 1):
                bench.check_room()
                bench.run(cell, journal)
                if worker == 0 and number % self.settings.summary_every == 0:
                    self.summarise(manifest)
        except Stopped as stopped:
            return str(stopped)
        return ""

    def summarise(self, manifest: Manifest) -> int:
        """Write records and summary of all that is done so far; how many cells that is."""
        from nbhelpers.artifacts import write_json
        from nbhelpers.degrade.results import read_results

        journal = Journal(self.folder)
        generation = asdict(self.decoding)
        found = records(self.config, self.prompts, self.cells, journal, len(manifest.batches), generation)
        write_records(self.folder, found)
        write_json(self.folder / SUMMARY, read_results(self.folder).summary())
        return sum(cell.name in journal.finished for cell in self.cells)

    def close(self, manifest: Manifest, reason: str, model: str) -> Outcome:
        """Write everything for the last time of this call."""
        done = self.summarise(manifest)
        manifest.state = "done" if done == len(manifest.cells) else "stopped"
        manifest.reason = "" if manifest.done else reason or "a process ended early; run it again to go on"
        manifest.write(self.folder)
        return Outcome(self.folder, manifest.state, manifest.reason, done, len(manifest.cells), model)


def run_experiment(
    config: str | Path | Configuration,
    settings: "DegradeSection",
    folder: str | Path,
    *,
    loaded: "Loaded | None" = None,
    profile: str = "cpu",
    device: str = "auto",
    budget: "Budget | None" = None,
    jobs: int = 1,
    resume: bool = True,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Damage a model in every way of a grid and keep what it writes; what is done is not done again.

    Args:
        config: what is asked, see `get_config`.
        settings: the `degrade` section.
        folder: for its files; made if missing.
        loaded: the model; None loads one as `load_subject` does.
        profile: see `load_subject`.
        device: see `load_subject`.
        budget: bytes a batch may need; None takes most of what is free.
        jobs: processes, each with a model of its own; inside `joblib.parallel_config` they may be those of a
            cluster that shares the folder. The records are the same for any number.
        resume: go on with what is in the folder; False begins anew.
        say: takes lines meant for people.

    Raises:
        BadInput: a grid the model cannot go through, another experiment in the folder, unknown names.
        NothingFits: no model could be loaded.
    """
    from nbhelpers.degrade.jobs import work_in_processes
    from nbhelpers.degrade.rungs import load_subject

    found = config if isinstance(config, Configuration) else get_config(config)
    study = Study(found, settings, Path(folder))
    grid(settings)  # one that cannot be is refused before a model is loaded
    if loaded is None:
        shown = any(prompt.image is not None for prompt in study.prompts)
        loaded = load_subject(settings, profile=profile, device=device, pictures=shown, say=say)
    manifest = study.prepare(loaded, budget, resume)
    name, where = loaded.name, loaded.device
    if jobs > 1:
        del loaded  # each process loads its own
        return study.close(manifest, work_in_processes(study, manifest, name, where, jobs), name)
    return study.close(manifest, study.work(loaded, manifest), name)


def describe(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain values."""
    return {**asdict(outcome), "folder": str(outcome.folder)}
