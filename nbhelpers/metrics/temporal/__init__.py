"""Scores of answers about operations in video, beside the floors and leak tests that give them meaning."""

from nbhelpers.metrics.temporal.answers import Answered, Guess, Segment
from nbhelpers.metrics.temporal.confusion import confusion
from nbhelpers.metrics.temporal.guesses import OWN_SCORES, Floors, floors, learn_floors, procedure_share
from nbhelpers.metrics.temporal.iou import reaches, tiou, tiou_matrix, tiou_pairs
from nbhelpers.metrics.temporal.leaks import VIEWS, find_view, grey_frames, leak_checks, one_frame
from nbhelpers.metrics.temporal.paired import above, above_floors, difference
from nbhelpers.metrics.temporal.scores import (
    SCORES,
    WEIGHTS,
    ClassScores,
    TemporalScores,
    judge,
    score_answers,
)

__all__ = [
    "tiou",
    "tiou_matrix",
    "tiou_pairs",
    "reaches",
    "Segment",
    "Answered",
    "Guess",
    "score_answers",
    "judge",
    "TemporalScores",
    "ClassScores",
    "SCORES",
    "WEIGHTS",
    "confusion",
    "floors",
    "learn_floors",
    "Floors",
    "OWN_SCORES",
    "procedure_share",
    "difference",
    "above",
    "above_floors",
    "VIEWS",
    "find_view",
    "grey_frames",
    "one_frame",
    "leak_checks",
]
