"""Predictions on file: who made them from what, and a guard that scores none made from the labels."""

from nbhelpers.metrics.predictions.evaluation import Evaluation, evaluate_predictions, timeline_rows
from nbhelpers.metrics.predictions.guard import Guarded, check_predictions, score_predictions
from nbhelpers.metrics.predictions.inputs import ModelInput, inputs_sha256, model_input
from nbhelpers.metrics.predictions.predict import predict_to_file
from nbhelpers.metrics.predictions.record import (
    Predictions,
    Provenance,
    Row,
    Said,
    load_predictions,
    write_predictions,
)
from nbhelpers.metrics.predictions.watch import labels_unread

__all__ = [
    "predict_to_file",
    "Provenance",
    "ModelInput",
    "model_input",
    "inputs_sha256",
    "labels_unread",
    "Predictions",
    "Row",
    "Said",
    "write_predictions",
    "load_predictions",
    "check_predictions",
    "score_predictions",
    "Guarded",
    "evaluate_predictions",
    "Evaluation",
    "timeline_rows",
]
