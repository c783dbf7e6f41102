"""What an experiment is: its identity, its grid and its batches, in one file beside its records."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import plain, read_json, sha256_value, write_json
from nbhelpers.degrade.chat import Asked
from nbhelpers.degrade.plan import Cell
from nbhelpers.degrade.prompts import Configuration, Prompt
from nbhelpers.degrade.sizing import Batch
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.models import Loaded
    from nbhelpers.settings import DegradeSection

MANIFEST = "manifest.json"
_SCHEMA = 1
# Settings that decide when an experiment stops and what it says meanwhile, not what it finds; and what the
# identity tells better: the model that was loaded, the prompts that were read, the batches that were settled.
_ASIDE = ("max_minutes", "summary_every", "verify_every", "stop_above", "batch", "model", "config")


@dataclass
class Manifest:
    """The content of `manifest.json`.

    Attributes:
        identity: everything the records depend on; a folder takes one experiment.
        cells: names of all cells, in order.
        batches: of the prompts.
        state: `running`, `stopped` or `done`.
        reason: why it was stopped.
    """

    identity: dict[str, Any]
    cells: list[str]
    batches: list[Batch]
    state: str = "running"
    reason: str = ""
    schema: int = field(default=_SCHEMA)

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        write_json(folder / MANIFEST, asdict(self))

    @property
    def done(self) -> bool:
        """Whether every cell is in the records."""
        return self.state == "done"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder.

    Raises:
        BadInput: there is none, or it is of another version.
    """
    content = read_json(Path(folder) / MANIFEST)
    if not isinstance(content, dict) or content.get("schema") != _SCHEMA:
        raise BadInput(f"{Path(folder) / MANIFEST}: is no manifest of this version; run the experiment again")
    batches = [Batch(**batch) for batch in content.pop("batches")]
    return Manifest(batches=batches, **content)


def identity(
    config: Configuration, asked: Sequence[Asked], prompts: Sequence[Prompt], settings: "DegradeSection",
    loaded: "Loaded", decoding: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Everything the records of an experiment depend on, as plain values.

    Args:
        config: what is asked.
        asked: its prompts as they are put, pictures included.
        prompts: those of the configuration that are asked.
        settings: the whole section; what only decides when it stops is left out.
        loaded: the model.
        decoding: how texts are written.
    """
    import hashlib

    pictures = [
        None if a.image is None else hashlib.sha256(a.image.tobytes()).hexdigest()[:16] for a in asked
    ]
    kept = {key: value for key, value in settings.model_dump().items() if key not in _ASIDE}
    found = {
        "config": config.name,
        "prompts": sha256_value([prompts, pictures, config.reference])[:16],
        "settings": kept,
        "decoding": dict(decoding),
        "model": loaded.name,
        "revision": loaded.revision,
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "device": loaded.device.partition(":")[0],
        "vocabulary": int(loaded.config.get_text_config().vocab_size),
        "versions": {name: metadata.version(name) for name in ("torch", "transformers")},
    }
    return dict(plain(found))


def same_experiment(folder: Path, kept: Manifest, new: Mapping[str, Any]) -> None:
    """Refuse to go on with another experiment in a folder.

    Raises:
        BadInput: names what differs.
    """
    differing = sorted(_differences(kept.identity, new))
    if differing:
        name, (before, now) = differing[0], _differences(kept.identity, new)[differing[0]]
        more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
        raise BadInput(
            f"{folder}: holds another experiment: {name} was {before!r} and is {now!r}{more}; give another "
            "folder, or begin anew (--no-resume)"
        )


def _differences(a: Mapping[str, Any], b: Mapping[str, Any], path: str = "") -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    for key in {*a, *b}:
        one, other = a.get(key), b.get(key)
        name = f"{path}{key}"
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found |= _differences(one, other, f"{name}.")
        elif one != other:
            found[name] = (one, other)
    return found


def todo(cells: Sequence[Cell], finished: Mapping[str, Any], worker: int, workers: int) -> list[Cell]:
    """The cells one of several processes still has to run: every n-th of the grid, less those done."""
    return [
        cell for place, cell in enumerate(cells) if place % workers == worker and cell.name not in finished
    ]
