"""What tuning leaves: the adapter, an account of it, and the mark by which a later call knows it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import read_json, sha256_value, write_json
from nbhelpers.errors import BadInput
from nbhelpers.video.samples import VideoSample

if TYPE_CHECKING:
    from nbhelpers.models import Loaded
    from nbhelpers.settings import VideoSection

# Raise it with every change of what a training with the same settings learns.
RECIPE = 1
RECORD, ADAPTER = "training.json", "adapter"
# Settings that change no step that is taken; how clips were made is in the clips.
_NOT_INPUTS = {
    "model", "quantize", "videos", "video_s", "world", "main", "split", "test_clips", "max_minutes",
    "checkpoint_minutes", "kept_gib", "tensorboard", "keep_features",
}  # fmt: skip


@dataclass(frozen=True)
class TunedVideo:
    """A model after its training.

    Attributes:
        base, revision: of the model the adapter belongs to.
        adapter: the adapter's folder; `VideoPredictor.load(base, adapter)` takes it.
        operations: names it was taught.
        sources: subjects, sessions or videos it was tuned on; scores on one of them are refused.
        roles: whose layers carry the adapter.
        trainable, total: values of the adapter, and of the model without it.
        before, after: scores on the validation clips, by name (`oca`, `tiou_05`, `aa1`, `weighted`,
            `parse_rate`, ...).
        steps: optimiser steps taken.
        stopped: "steps", "patience" or "deadline".
        seconds: of training and validation, over all calls.
        prepare_s: processing every clip once, features included, in this call.
        seconds_per_epoch: of each pass over the training clips, in order.
        steps_per_epoch: optimiser steps in a pass.
        features: why features of the vision tower were kept, or why not.
        predicted_bytes, peak_bytes: of one step: the dry run's peak, and what was measured.
        history: rows of the training's records.
        resumed: this call went on from a checkpoint.
        reused: nothing was trained: the same training had been finished before.
    """

    base: str
    revision: str
    adapter: Path
    operations: tuple[str, ...]
    sources: tuple[str, ...]
    roles: tuple[str, ...]
    trainable: int
    total: int
    before: dict[str, float]
    after: dict[str, float]
    steps: int
    stopped: str
    seconds: float
    prepare_s: float
    seconds_per_epoch: list[float]
    steps_per_epoch: float
    features: str
    predicted_bytes: int
    peak_bytes: int
    history: list[dict[str, Any]] = field(default_factory=list, repr=False)
    resumed: bool = False
    reused: bool = False


def fingerprint(
    loaded: "Loaded",
    digest: str,
    train: Sequence[VideoSample],
    val: Sequence[VideoSample],
    settings: "VideoSection",
) -> str:
    """A hash of all an adapter depends on: weights, clips, settings, libraries.

    Args:
        loaded: the base model.
        digest: of its vision tower and processor.
        train: to learn from.
        val: to choose the best step by.
        settings: the section; what changes no step is left out.
    """
    import torch

    return sha256_value(
        {
            "recipe": RECIPE,
            "base": [loaded.name, loaded.revision, digest, str(loaded.dtype), loaded.quantize],
            "device": loaded.device.partition(":")[0],
            "settings": settings.model_dump(exclude=_NOT_INPUTS),
            "clips": [[_content(sample) for sample in part] for part in (train, val)],
            "torch": torch.__version__,
        }
    )


def _content(sample: VideoSample) -> list[Any]:
    """A clip by what is asked and true of it; its name holds which video and where in it."""
    return [sample.name, sample.question, sample.times_s, sample.duration_s, sample.answer]


def write_record(folder: Path, tuned: TunedVideo, mark: str, max_minutes: float) -> None:
    """Remember a training; the adapter is named by its place in `folder`."""
    given = asdict(tuned) | {"adapter": tuned.adapter.name}
    write_json(folder / RECORD, {"fingerprint": mark, "max_minutes": max_minutes, "training": given})


def read_tuned(folder: Path) -> TunedVideo:
    """The account of a training in its folder.

    Raises:
        BadInput: there is none.
    """
    given = read_json(Path(folder) / RECORD)["training"]
    lists = {name: tuple(given[name]) for name in ("operations", "sources", "roles")}
    return TunedVideo(**{**given, **lists, "adapter": Path(folder) / given["adapter"]})


def finished(folder: Path, mark: str, max_minutes: float) -> TunedVideo | None:
    """The training remembered in `folder`, if it is this one, whole, and not cut by a smaller deadline."""
    from nbhelpers.models import read_adapter

    if not (folder / RECORD).is_file():
        return None
    record = read_json(folder / RECORD)
    if record.get("fingerprint") != mark:
        return None
    if record["training"]["stopped"] == "deadline" and max_minutes > record["max_minutes"]:
        return None
    tuned = read_tuned(folder)
    try:
        read_adapter(tuned.adapter)
    except BadInput:  # removed or damaged since: it is trained again
        return None
    return replace(tuned, reused=True, resumed=False)
