"""From a folder to a model in memory: through unsloth where it helps, else through transformers alone."""

import gc
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.models.prepare import Task
from nbhelpers.models.quantize import packed_modules, quantization_config, settle_quantized
from nbhelpers.models.quiet import quiet_when_headless
from nbhelpers.models.rungs import Refused
from nbhelpers.runtime import Choice

if TYPE_CHECKING:
    from nbhelpers.models.families import Family

# Longer contexts than this are not tuned on one GPU; unsloth sizes its position tables by it.
_MOST_TOKENS = 8192
_OUT_OF_MEMORY = ("out of memory", "outofmemoryerror", "can't allocate memory", "memoryerror")


@dataclass(frozen=True)
class How:
    """Decided before anything is read: number format, packing, attention, place.

    Attributes:
        dtype: name of the number format, and why.
        device: `cpu` or `cuda:N`.
        quantize: `nf4`, `int8` or None.
        attention: attention implementation.
        checkpointing: gradient checkpointing.
        task: what the model is for.
    """

    dtype: Choice
    device: str
    quantize: str | None
    attention: str
    checkpointing: bool
    task: Task


def read_config(folder: Path) -> Any:
    """The configuration of a model folder.

    Raises:
        Refused: `unsupported`, where transformers cannot read it; says why.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().split("\n")[0]
    raise Refused("unsupported", f"{folder / 'config.json'} cannot be read: {reason}")


def load_processor(folder: Path, family: "Family") -> Any:
    """The family's processor or tokenizer from a folder.

    Raises:
        Refused: `not_found`, where its files are missing or damaged.
    """
    import transformers

    try:
        return getattr(transformers, family.processor).from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).strip().split("\n")[0]
    raise Refused("not_found", f"{folder} holds no usable {family.processor} files ({reason})")


def load_model(folder: Path, family: "Family", config: Any, how: How) -> tuple[Any, Choice]:
    """The model with its weights, and which loader brought it.

    unsloth is left aside when it does not import or brings another model than asked for, and the reason said.

    Raises:
        Refused: `out_of_memory`, or `unsupported` for weights that are not those of the class.
    """
    chosen = choose_loader(family, how)
    if chosen.value == "unsloth":
        try:
            return _guarded(lambda: _with_unsloth(folder, family, config, how)), chosen
        except Refused as refused:
            if refused.kind == "out_of_memory":
                raise
            chosen = Choice("transformers", f"unsloth was tried first: {refused.reason}")
        gc.collect()
    return _guarded(lambda: _with_transformers(folder, family, config, how)), chosen


def choose_loader(family: "Family", how: How) -> Choice:
    """`unsloth` or `transformers`, and why.

    unsloth compiles kernels for training and generating; for an attack the plain model's gradient is wanted.
    """
    if not how.device.startswith("cuda"):
        return Choice("transformers", "unsloth needs a GPU")
    if find_spec("unsloth") is None:
        return Choice("transformers", "unsloth is not installed")
    if how.task == "attack" or "text.attention" not in family.roles:
        return Choice("transformers", "unsloth is for tuning and asking language models")
    return Choice("unsloth", "it is installed and there is a GPU")


def _guarded(bring: Any) -> Any:
    """Run a loader; memory that ran out, also where transformers only logs it, and bad files are refusals."""
    from safetensors import SafetensorError

    with _reports() as said, quiet_when_headless():
        try:
            return bring()
        except (RuntimeError, MemoryError, OSError, EOFError, SafetensorError) as error:
            refused = _meaning(error, said)
            if refused is None:
                raise
    raise refused


def _meaning(error: BaseException, said: list[str]) -> Refused | None:
    """What an error while loading means for the rung; None for a defect that must be seen."""
    if reason := _memory_reason(error, said):
        return Refused("out_of_memory", reason)
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if not isinstance(error, RuntimeError | MemoryError):
        return Refused("unsupported", f"its weights (model.safetensors and the like) cannot be read: {first}")
    if "ignore_mismatched_sizes" in first:
        return Refused("unsupported", "its weights have other shapes than its config.json says")
    return None


def _memory_reason(error: BaseException, said: list[str]) -> str:
    """What ran out of memory, in one sentence; empty where nothing did."""
    import torch

    texts = [str(error), *said]
    if not isinstance(error, torch.OutOfMemoryError | MemoryError) and not any(
        mark in text.lower() for text in texts for mark in _OUT_OF_MEMORY
    ):
        return ""
    lines = [line.strip() for text in texts for line in text.splitlines()]
    telling = [line for line in lines if any(mark in line.lower() for mark in _OUT_OF_MEMORY)]
    first = (telling or [type(error).__name__])[0]
    return f"memory ran out while its weights were loaded ({first[:160]})"


@contextmanager
def _reports() -> Iterator[list[str]]:
    """Collect what transformers reports: it logs errors of packing weights and raises another one instead."""
    said: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, collector = logging.getLogger("transformers"), Collector(logging.WARNING)
    logger.addHandler(collector)
    try:
        yield said
    finally:
        logger.removeHandler(collector)


def _with_transformers(folder: Path, family: "Family", config: Any, how: How) -> Any:
    import torch

    packing = _packing(family, config, how)
    model, info = family.model_class(config).from_pretrained(
        folder,
        config=config,
        dtype=getattr(torch, how.dtype.value),
        # One device for the whole model: a split one would move activations between devices at every step.
        device_map=None if how.device == "cpu" else {"": how.device},
        attn_implementation=how.attention,
        quantization_config=packing,
        local_files_only=True,
        output_loading_info=True,
    )
    if missing := sorted(info["missing_keys"]):
        raise Refused(
            "unsupported",
            f"its weights lack {len(missing)} tensors of {type(model).__name__}, such as {missing[0]}, which "
            "would stay random",
        )
    return _settled(model, family, config, how)


def _packing(family: "Family", config: Any, how: How) -> Any:
    if how.quantize is None:
        return None
    return quantization_config(family.meta_model(config), family, how.quantize, how.dtype.value)


def _settled(model: Any, family: "Family", config: Any, how: How) -> Any:
    if how.quantize:
        settle_quantized(model, packed_modules(family.meta_model(config), family))
    return model


def _with_unsloth(folder: Path, family: "Family", config: Any, how: How) -> Any:
    """Load through unsloth from a local folder, so that it cannot put another upload in its place."""
    import torch

    # By default its models answer with empty logits, which distillation and scoring need.
    os.environ.setdefault("UNSLOTH_RETURN_LOGITS", "1")
    try:
        import unsloth
    except (ImportError, NotImplementedError, RuntimeError, AttributeError) as error:
        reason = f"it does not import ({type(error).__name__}: {str(error).strip().splitlines()[0]})"
    else:
        reason = ""
    if reason:
        raise Refused("unsupported", reason)
    fast = unsloth.FastVisionModel if "image" in family.inputs else unsloth.FastLanguageModel
    positions = getattr(config.get_text_config(), "max_position_embeddings", _MOST_TOKENS)
    model, _ = fast.from_pretrained(
        model_name=str(folder),
        max_seq_length=min(positions, _MOST_TOKENS),
        dtype=getattr(torch, how.dtype.value),
        load_in_4bit=how.quantize == "nf4",
        load_in_8bit=how.quantize == "int8",
        quantization_config=_packing(family, config, how),
        device_map={"": how.device},
        use_gradient_checkpointing=how.checkpointing,
        local_files_only=True,
        trust_remote_code=False,
    )
    try:
        return _settled(model, family, config, how)
    except Exception as error:
        reason = str(error)
    del model
    raise Refused("unsupported", f"it brought another model than asked for: {reason}")
