"""The models we know by name: ids, sizes, licences, twins, and which to try for what on which machine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from nbhelpers.errors import BadInput
from nbhelpers.models.places import twins_root


@dataclass(frozen=True)
class Entry:
    """One model of the catalogue.

    Attributes:
        name: short name, such as `gemma-3-4b`, or `tiny/...` for a twin.
        id: of the hub; of a twin its name, which is no hub id.
        family: its `model_type`.
        parameters: number of values; of a twin read from its folder, 0 while it is not there.
        licence: identifier as on the model card.
        gated: whether the hub asks for an agreement first.
        twin: name of the twin that stands in for it; its own name for a twin.
        tasks: purposes it serves.
        config_file: file name in `models/configs`; empty for a twin.
        counted_by_us: True where no published figure confirms `parameters`.
    """

    name: str
    id: str
    family: str
    parameters: int
    licence: str
    gated: bool
    twin: str
    tasks: tuple[str, ...]
    config_file: str = ""
    counted_by_us: bool = False

    @property
    def is_twin(self) -> bool:
        """Whether the project's own tiny model."""
        return self.name == self.twin


@cache
def _document() -> dict[str, Any]:
    import yaml

    file = resources.files("nbhelpers.models") / "catalog.yaml"
    document: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return document


def catalog() -> Mapping[str, Entry]:
    """Every model and twin by short name, in the order of the file."""
    document = _document()
    models = {name: _entry(name, given) for name, given in document["entries"].items()}
    return models | {name: _twin(name, given) for name, given in document["twins"].items()}


def _entry(name: str, given: dict[str, Any]) -> Entry:
    fields = {key: value for key, value in given.items() if key != "counted"}
    fields["tasks"] = tuple(given["tasks"])
    return Entry(name=name, config_file=f"{name}.json", counted_by_us="counted" in given, **fields)


def _twin(name: str, given: dict[str, Any]) -> Entry:
    weights = twins_root() / name.removeprefix("tiny/") / "model.safetensors"
    count = _values(weights) if weights.is_file() else 0
    tasks = tuple(given["tasks"])
    return Entry(name, name, given["family"], count, "apache-2.0", False, name, tasks, counted_by_us=True)


def _values(weights: Path) -> int:
    """Values stored in a safetensors file, from its header alone."""
    from math import prod

    from safetensors import safe_open

    with safe_open(weights, framework="numpy") as file:
        return sum(prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118 (no mapping)


def find_entry(name: str) -> Entry:
    """The entry of a model.

    Args:
        name: short name or hub id, in any case; or `tiny/...`.

    Raises:
        BadInput: it is not in the catalogue; names the closest.
    """
    entries = catalog()
    by_name = {alias.lower(): entry for entry in entries.values() for alias in (entry.name, entry.id)}
    if name.lower() in by_name:
        return by_name[name.lower()]
    from nbhelpers.settings.sources import closest

    hint = closest(name.lower(), by_name)
    raise BadInput(f"model {name!r} is not in the catalogue{hint}; it knows: {', '.join(entries)}")


def chain(purpose: str, profile: str, model: str = "auto") -> list[str]:
    """Names to try for a purpose, from the most demanding down to the twin.

    Args:
        purpose: video, attack, degrade, code, detector or segmenter.
        profile: cpu, t4 or rtx3090.
        model: a name, which then stands alone; `auto` takes the profile's.

    Raises:
        BadInput: an unknown profile or purpose.
    """
    if model != "auto":
        return [model]
    chains = _document()["chains"]
    if profile not in chains:
        raise BadInput(f"profile {profile!r} has no model chains; profiles: {', '.join(chains)}")
    if purpose not in chains[profile]:
        raise BadInput(f"purpose {purpose!r} has no model chain; purposes: {', '.join(chains[profile])}")
    return list(chains[profile][purpose])


def full_config(name: str | Path) -> Any:
    """The configuration of a model at its full size; the network is never asked.

    Args:
        name: a catalogue name or hub id (read from the package), `tiny/...`, a folder with a `config.json`,
            or another hub id whose `config.json` is in this machine's cache.

    Returns:
        A transformers `PreTrainedConfig`.

    Raises:
        BadInput: none of these, or the file is not a configuration.
    """
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file():
        return _read(folder / "config.json")
    known = {alias.lower() for entry in catalog().values() for alias in (entry.name, entry.id)}
    if str(name).lower() in known or str(name).startswith("tiny/"):
        return _packaged(find_entry(str(name)))
    return _read(_cached(str(name)))


def _packaged(entry: Entry) -> Any:
    from nbhelpers.models.places import twin_folder

    if entry.is_twin:
        return _read(twin_folder(entry.name) / "config.json")
    return _read(Path(str(resources.files("nbhelpers.models") / "configs" / entry.config_file)))


def _cached(repo: str) -> Path:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    from nbhelpers.settings.sources import closest

    try:
        found = try_to_load_from_cache(repo, "config.json")
    except HFValidationError:
        found = None
    if isinstance(found, str):
        return Path(found)
    hint = closest(repo.lower(), catalog())
    raise BadInput(
        f"model {repo!r}: no such folder with a config.json, not in the catalogue{hint}, and its config.json "
        "is not in the hub's cache on this machine"
    )


def _read(file: Path) -> Any:
    """A configuration from JSON that may hold no more than what differs from the class's defaults."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CONFIG_MAPPING

    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        model_type = values["model_type"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{file}: is not a model configuration (JSON with `model_type`): {error!r}") from error
    if model_type not in CONFIG_MAPPING:
        raise BadInput(f"{file}: model_type {model_type!r} is not one the installed transformers knows")
    try:
        # What `from_dict` does, but for a comparison with the class's defaults that warns of SmolVLM's own.
        return CONFIG_MAPPING[model_type](**values)
    except (StrictDataclassError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"{file}: is not a configuration of {model_type}: {reason}") from error
