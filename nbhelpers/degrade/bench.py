"""One model on the bench: damaged, questioned and restored, cell after cell."""

import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import append_record
from nbhelpers.degrade.blocks import seed_of
from nbhelpers.degrade.chat import Asked, tokenizer_of
from nbhelpers.degrade.generation import Decoding, write
from nbhelpers.degrade.journal import Journal
from nbhelpers.degrade.lesions import apply_lesion, check_unpacked, target
from nbhelpers.degrade.plan import Cell
from nbhelpers.degrade.sizing import Batch, used_share
from nbhelpers.errors import CheckFailed, NbhelpersError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nbhelpers.metrics.text import TextScore
    from nbhelpers.models import Loaded, Snapshot
    from nbhelpers.training.deadline import Deadline

TIMINGS = "timings.jsonl"


class Stopped(NbhelpersError):
    """The experiment was left before its end, with everything saved; the message says why."""


@dataclass(frozen=True)
class Questions:
    """What is put to the model in every cell.

    Attributes:
        asked: all prompts in all languages.
        batches: how they are put together.
        decoding: how texts are written.
        reference: texts whose perplexity is taken, by language.
        window: tokens of a window of the perplexity.
        own: whether what was written is scored by the intact model.
    """

    asked: Sequence[Asked]
    batches: Sequence[Batch]
    decoding: Decoding
    reference: "Mapping[str, Sequence[str]]"
    window: int
    own: bool


class Bench:
    """Runs cells on one loaded model.

    Args:
        loaded: the model, not packed.
        questions: what is asked.
        cells: all that may be run; their weights are kept in CPU memory.
        experiment: enters every seed of a lesion.
        deadline: when to stop.
        stop_above: share of memory in use at which to stop, 0..1.
        verify_every: cells between two comparisons of all restored bytes.

    Raises:
        BadInput: packed weights among those to be damaged.
    """

    def __init__(
        self,
        loaded: "Loaded",
        questions: Questions,
        cells: Sequence[Cell],
        experiment: str,
        deadline: "Deadline",
        stop_above: float = 0.95,
        verify_every: int = 1,
    ) -> None:
        self.loaded, self.questions, self.experiment = loaded, questions, experiment
        self._deadline, self._stop_above, self._verify_every = deadline, stop_above, verify_every
        self._runs = 0
        self.snapshot = self._keep(cells)

    def _keep(self, cells: Sequence[Cell]) -> "Snapshot | None":
        """The intact bytes of every parameter that a cell may change; none where none does."""
        from nbhelpers.models import Snapshot

        kinds = {(c.method == "mask_elsewhere", c.group): c.lesion("") for c in cells if c.method}
        names: dict[str, None] = {}
        for lesion in kinds.values():
            assert lesion is not None
            parts = target(self.loaded.model, self.loaded.family, lesion)
            check_unpacked(parts)
            names |= dict.fromkeys(part.name.partition("#")[0] for part in parts)
        return Snapshot(self.loaded.model, *names) if names else None

    def run(self, cell: Cell, journal: Journal) -> None:
        """Damage, question, restore, score; each step is in the journal before the next one begins.

        Raises:
            Stopped: time or memory is over; the model is whole again.
            CheckFailed: the restored bytes are not the kept ones.
        """
        took: dict[str, Any] = {"cell": cell.name}
        with self._damaged(cell, took) as report:
            with _timed(took, "reference_s"):
                reference = {key: self._score(texts) for key, texts in self.questions.reference.items()}
            with _timed(took, "write_s"):
                for number, batch in enumerate(self.questions.batches):
                    self._write(cell, number, batch, journal)
        with _timed(took, "score_s"):
            own = self._own(journal.rows(cell.name, len(self.questions.batches)))
        journal.finish(cell.name, {"lesion": report, "reference": reference, "own": own})
        append_record(journal.folder / TIMINGS, took)

    @contextmanager
    def _damaged(self, cell: Cell, took: dict[str, Any]) -> "Iterator[dict[str, Any] | None]":
        lesion = cell.lesion(self.experiment)
        if lesion is None or self.snapshot is None:
            yield None
            return
        with _timed(took, "lesion_s"):
            report = apply_lesion(self.loaded.model, self.loaded.family, lesion)
        try:
            yield asdict(report)
        finally:
            self._restore(self.snapshot, cell, took)

    def _restore(self, snapshot: "Snapshot", cell: Cell, took: dict[str, Any]) -> None:
        snapshot.restore()
        self._runs += 1
        verify = self._runs % self._verify_every == 0
        took |= {"restore_s": snapshot.seconds, "restored_bytes": snapshot.nbytes, "verified": verify}
        if verify and (changed := snapshot.changed()):
            raise CheckFailed(f"{cell.name}: {changed[0]} and {len(changed) - 1} more were not restored")

    def _write(self, cell: Cell, number: int, batch: Batch, journal: Journal) -> None:
        if (cell.name, number) in journal.batches:
            return
        self.check_room()
        part = self.questions.asked[batch.first : batch.first + batch.count]
        # Not the cell's: at one seed a sham draws what the baseline drew.
        seed = seed_of((self.questions.decoding.seed, cell.repeat, batch.first))
        written = write(self.loaded, part, self.questions.decoding, seed)
        rows = [
            {"prompt": one.prompt, "language": one.language, "new_tokens": one.new_tokens, **asdict(text)}
            for one, text in zip(part, written, strict=True)
        ]
        journal.add_batch(cell.name, number, rows)

    def check_room(self) -> None:
        """Stop where time is over or memory nearly so.

        Raises:
            Stopped: says which; run it again to go on.
        """
        from nbhelpers.memory import release

        if self._deadline.left_s() <= 0:
            raise Stopped("the time given is over")
        if used_share(self.loaded.device) > self._stop_above:
            release()
            share = used_share(self.loaded.device)
            if share > self._stop_above:
                raise Stopped(f"{share:.0%} of the memory of {self.loaded.device} is in use")

    def _score(self, texts: Sequence[str]) -> dict[str, Any]:
        from nbhelpers.metrics.text import score_texts

        found = score_texts(self.loaded.model, tokenizer_of(self.loaded), texts, length=self.questions.window)
        return scored(found)

    def _own(self, rows: Sequence["Mapping[str, Any]"]) -> dict[str, Any] | None:
        """How likely the texts are to the intact model, as texts on their own."""
        return self._score([row["text"] for row in rows]) if self.questions.own and rows else None


def scored(found: "TextScore") -> dict[str, Any]:
    """A score as plain values; what is no number becomes null, and `finite` says so."""
    import math

    return {
        "log_probs": [value if math.isfinite(value) else None for value in found.log_probs],
        "tokens": list(found.tokens),
        "words": list(found.words),
        "finite": all(map(math.isfinite, found.log_probs)),
    }


@contextmanager
def _timed(took: dict[str, Any], name: str) -> "Iterator[None]":
    began = time.perf_counter()
    yield
    took[name] = round(time.perf_counter() - began, 4)


def timings(folder: Path) -> list[dict[str, Any]]:
    """Seconds of each step of each cell that was run, in the order they ended."""
    from nbhelpers.artifacts import read_records

    return list(read_records(folder / TIMINGS))
