"""Answers about clips in a predictions file that says which model gave them, with which settings."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nbhelpers.artifacts import sha256_value
from nbhelpers.video.adapter import read_beside

if TYPE_CHECKING:
    from nbhelpers.data.clips import Clip
    from nbhelpers.metrics.predictions import Predictions, Provenance
    from nbhelpers.video.predictor import VideoPredictor


def provenance(predictor: "VideoPredictor", constrained: bool, view: str = "as_is") -> "Provenance":
    """Who answers here, for a predictions file.

    Args:
        predictor: the model with its adapter.
        constrained: whether it may write answers only.
        view: what frames are turned into first, see `metrics.temporal.find_view`.
    """
    from nbhelpers.metrics.predictions import Provenance

    said = predictor.describe()
    operations = sha256_value(predictor.operations)[:16] if constrained else None
    kept = {name: said[name] for name in ("family", "device", "dtype", "quantize")}
    return Provenance(
        model=said["model"],
        revision=said["revision"],
        adapter=_adapter(predictor),
        settings={**kept, "constrained": constrained, "operations": operations, "decoding": "greedy"},
        view=view,
        trained_on=None if predictor.adapter is None else read_beside(predictor.adapter).sources,
    )


def _adapter(predictor: "VideoPredictor") -> str | None:
    """Name and hash of the adapter; None for the bare model."""
    from nbhelpers.models import read_adapter

    if predictor.adapter is None:
        return None
    return f"{predictor.adapter.name}@sha256:{read_adapter(predictor.adapter).sha256[:16]}"


def predict_clips(
    predictor: "VideoPredictor",
    clips: "Sequence[Clip]",
    path: Path,
    *,
    constrained: bool = False,
    view: str = "as_is",
    label_files: Sequence[Path | str] = (),
) -> "Predictions":
    """Ask about every clip and write the predictions file; what is asked holds no way to the labels.

    Args:
        predictor: the model with its adapter.
        clips: asked about.
        path: of the file.
        constrained: let it write answers only.
        view: what frames are turned into first.
        label_files: that nobody may open meanwhile.

    Raises:
        BadInput: see `metrics.predictions.predict_to_file`.
    """
    from nbhelpers.metrics.predictions import predict_to_file

    return predict_to_file(
        lambda inputs: predictor.predict(inputs, constrained),
        clips,
        path,
        provenance(predictor, constrained, view),
        label_files=label_files,
    )
