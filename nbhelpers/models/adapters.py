"""Adapters on disk: the trained tensors alone, with the base, its revision and the roles they change."""

import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from nbhelpers import __version__
from nbhelpers.artifacts import read_json, sha256_file, write_json
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import nn

_RECORD, _TENSORS, _CONFIG = "nbhelpers_adapter.json", "adapter_model.safetensors", "adapter_config.json"


@dataclass(frozen=True)
class AdapterRecord:
    """What is written beside an adapter's tensors.

    Attributes:
        base: name of the model it was trained on.
        revision: that model's commit, or `sha256:...` of its folder's content.
        roles: roles of the family that it changes.
        nbhelpers, peft: versions that wrote it.
        tensors: how many there are.
        parameters: how many numbers they hold together.
        sha256: of the tensors' file.
    """

    base: str
    revision: str
    roles: tuple[str, ...]
    nbhelpers: str
    peft: str
    tensors: int
    parameters: int
    sha256: str


def save_adapter(
    model: "PeftModel", folder: str | Path, *, base: str, revision: str, roles: Sequence[str]
) -> Path:
    """Write an adapter: a new folder beside, then renamed, so that a kill leaves the old one or the new one.

    Args:
        model: as `add_lora` or `load_adapter` gives it; its weights are not changed.
        folder: where to; an adapter that is there is replaced.
        base: name of the base model, as it was loaded.
        revision: `Loaded.revision` of the base.
        roles: roles it was trained on.

    Returns:
        The folder.

    Raises:
        BadInput: the folder holds something else, or the model has no adapter.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / _RECORD).is_file() and any(folder.iterdir()):
        raise BadInput(f"{folder}: holds files that are no adapter; name an empty or a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.{token_hex(4)}.tmp")
    try:
        fresh.mkdir()
        _write(model, fresh, _portable(base), revision, tuple(roles))
        _put(fresh, folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return folder


def _portable(base: str) -> str:
    """A name that means something on another machine: of an absolute path only the last part."""
    return PurePath(base).name if PurePath(base).is_absolute() else base


def _write(model: Any, folder: Path, base: str, revision: str, roles: tuple[str, ...]) -> None:
    from importlib.metadata import version

    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    config = _adapter_config(model)
    # Without the explicit False, peft asks the hub whether the vocabulary has grown.
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    save_file(tensors, folder / _TENSORS, metadata={"format": "pt"})
    kept = config.base_model_name_or_path, config.inference_mode, config.revision
    config.base_model_name_or_path, config.inference_mode, config.revision = base, True, revision
    try:
        config.save_pretrained(str(folder))
    finally:
        config.base_model_name_or_path, config.inference_mode, config.revision = kept
    count = sum(tensor.numel() for tensor in tensors.values())
    digest = sha256_file(folder / _TENSORS)
    made = AdapterRecord(base, revision, roles, __version__, version("peft"), len(tensors), count, digest)
    write_json(folder / _RECORD, made)


def _adapter_config(model: Any) -> Any:
    configs = getattr(model, "peft_config", None)
    if not configs:
        raise BadInput(f"{type(model).__name__}: has no adapter to save; add one with add_lora first")
    return configs[model.active_adapter if hasattr(model, "active_adapter") else next(iter(configs))]


def _put(fresh: Path, folder: Path) -> None:
    """Rename the new folder into place; a folder cannot be renamed over another one that is not empty."""
    if not folder.exists():
        fresh.rename(folder)
        return
    old = folder.with_name(f".{folder.name}.{token_hex(4)}.old")
    folder.rename(old)
    try:
        fresh.rename(folder)
    except BaseException:
        old.rename(folder)
        raise
    shutil.rmtree(old)


def read_adapter(folder: str | Path) -> AdapterRecord:
    """Read what an adapter was made for, and check that its files are whole.

    Raises:
        BadInput: it is no adapter of this package, or a file is missing or damaged.
    """
    folder = Path(folder)
    for name in (_RECORD, _CONFIG, _TENSORS):
        if not (folder / name).is_file():
            raise BadInput(f"{folder}: has no {name}, so it is no adapter that save_adapter wrote")
    found = read_json(folder / _RECORD)
    try:
        record = AdapterRecord(**{**found, "roles": tuple(found["roles"])})
    except (TypeError, KeyError) as error:
        raise BadInput(f"{folder / _RECORD}: is not a record of an adapter ({error})") from None
    if sha256_file(folder / _TENSORS) != record.sha256:
        raise BadInput(f"{folder / _TENSORS}: is not the file its record speaks of; copy the folder again")
    return record


def load_adapter(
    base_model: "nn.Module",
    folder: str | Path,
    *,
    base: str | None = None,
    revision: str | None = None,
    any_revision: bool = False,
    trainable: bool = False,
) -> "PeftModel":
    """Put a saved adapter onto its base model, in place.

    Args:
        base_model: the model it was trained on, packed in 4 or 8 bits or not.
        folder: that `save_adapter` wrote.
        base: name of the base model; None takes what `load` noted on the model.
        revision: its revision; None likewise.
        any_revision: go on where only the revision differs.
        trainable: whether the adapter's tensors ask for gradients.

    Raises:
        BadInput: the adapter was made for another model, revision or shape; says which.
    """
    from peft import PeftModel

    record = read_adapter(folder)
    noted = getattr(base_model, "nbhelpers_base", (None, None))
    _check_base(record, Path(folder), base or noted[0], revision or noted[1], any_revision)
    _check_shapes(base_model, Path(folder))
    _make_wrappable(base_model)
    device = str(next(base_model.parameters()).device)
    # The device is given, or peft would read the tensors through the first GPU of the machine.
    return PeftModel.from_pretrained(base_model, str(folder), is_trainable=trainable, torch_device=device)


def _check_base(
    record: AdapterRecord, folder: Path, base: str | None, revision: str | None, any_revision: bool
) -> None:
    if revision and revision == record.revision:
        return  # the same bytes, whatever they are called here
    if base is None:
        warnings.warn(f"{folder}: made for {record.base}; only shapes can be compared here", stacklevel=3)
    elif _portable(base) != record.base:
        raise BadInput(f"{folder}: is made for {record.base}, this model is {base}; load {record.base}")
    elif revision and not any_revision:
        raise BadInput(
            f"{folder}: was trained on revision {record.revision} of {record.base}, this is "
            f"{revision}; load that revision, or pass any_revision=True if the weights are the same"
        )


def _check_shapes(model: "nn.Module", folder: Path) -> None:
    """Compare each low-rank pair with the layer it wraps; peft would say so in a page of text."""
    from safetensors import safe_open

    modules = dict(model.named_modules())
    pairs = 0
    with safe_open(folder / _TENSORS, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118  safe_open is no mapping
            target, _, part = name.removeprefix("base_model.model.").partition(".lora_")
            if part not in {"A.weight", "B.weight"}:
                continue
            pairs += 1
            side = "in_features" if part[0] == "A" else "out_features"
            size = file.get_slice(name).get_shape()[1 if part[0] == "A" else 0]
            _check_layer(modules.get(target), target, side, size, folder)
    if not pairs:  # peft would only warn, and the answers would be those of the base alone
        raise BadInput(f"{folder / _TENSORS}: holds no low-rank tensors; save the adapter again")


def _check_layer(layer: Any, target: str, side: str, size: int, folder: Path) -> None:
    if layer is None:
        raise BadInput(f"{folder}: wraps {target}, which this model lacks; load its own base")
    found = getattr(layer, side, size)
    if found != size:
        raise BadInput(
            f"{folder}: {target} has {side} {found} here and {size} in the adapter; load its own base"
        )


def _make_wrappable(model: "nn.Module") -> None:
    """Give classes without `get_input_embeddings` one, as `add_lora` does; peft asks for it."""
    from nbhelpers.models.wrapping import give_input_embeddings

    give_input_embeddings(model)


def merge_adapter(model: "PeftModel") -> "nn.Module":
    """Add the adapter to the weights of its base and drop the wrappers; the base's own class comes back.

    Raises:
        BadInput: the base is packed: rounding the sum to 4 or 8 bits again would lose what was learned.
    """
    from nbhelpers.models.quantize import quantized_modules

    _adapter_config(model)
    if packed := quantized_modules(model):
        raise BadInput(
            f"merge: {len(packed)} layers of the base are packed, such as {packed[0]}; load the base without "
            "quantize, put the adapter on it and merge that"
        )
    return model.merge_and_unload(safe_merge=True)
