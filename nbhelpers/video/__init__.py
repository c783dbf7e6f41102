"""Operations in video: clips into conversations, tuning with LoRA, answers and their times.

Importing this brings no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.video.answers import VideoAnswer, as_seen, clipped, parse_rate, read_answer
    from nbhelpers.video.clips import clips_or_default
    from nbhelpers.video.constrained import AnswerMask, answer_pattern
    from nbhelpers.video.conversation import conversation, model_inputs
    from nbhelpers.video.plan import TuningPlan, expected_hours, t4_table, text_parameters, tuning_plan
    from nbhelpers.video.predictions import predict_clips, provenance
    from nbhelpers.video.predictor import VideoPredictor
    from nbhelpers.video.rungs import checkpointing, load_video_model, packing
    from nbhelpers.video.samples import VideoSample, sample_of
    from nbhelpers.video.sampling import clip_of_video
    from nbhelpers.video.timing import Telling, check_told, telling
    from nbhelpers.video.tuned import TunedVideo, read_tuned
    from nbhelpers.video.tuning import tune_video

_HOME = {
    "AnswerMask": "constrained",
    "Telling": "timing",
    "TunedVideo": "tuned",
    "TuningPlan": "plan",
    "VideoAnswer": "answers",
    "VideoPredictor": "predictor",
    "VideoSample": "samples",
    "answer_pattern": "constrained",
    "as_seen": "answers",
    "check_told": "timing",
    "checkpointing": "rungs",
    "clip_of_video": "sampling",
    "clipped": "answers",
    "clips_or_default": "clips",
    "conversation": "conversation",
    "expected_hours": "plan",
    "load_video_model": "rungs",
    "model_inputs": "conversation",
    "packing": "rungs",
    "parse_rate": "answers",
    "predict_clips": "predictions",
    "provenance": "predictions",
    "read_answer": "answers",
    "read_tuned": "tuned",
    "sample_of": "samples",
    "t4_table": "plan",
    "telling": "timing",
    "text_parameters": "plan",
    "tune_video": "tuning",
    "tuning_plan": "plan",
}

__all__ = [
    "AnswerMask",
    "Telling",
    "TunedVideo",
    "TuningPlan",
    "VideoAnswer",
    "VideoPredictor",
    "VideoSample",
    "answer_pattern",
    "as_seen",
    "check_told",
    "checkpointing",
    "clip_of_video",
    "clipped",
    "clips_or_default",
    "conversation",
    "expected_hours",
    "load_video_model",
    "model_inputs",
    "packing",
    "parse_rate",
    "predict_clips",
    "provenance",
    "read_answer",
    "read_tuned",
    "sample_of",
    "t4_table",
    "telling",
    "text_parameters",
    "tune_video",
    "tuning_plan",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
