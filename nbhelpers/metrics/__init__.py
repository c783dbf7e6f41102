"""Measures the rooms share: detection quality and shares with intervals, overlaps, latency. Light import.

Operations in video are scored in `metrics.temporal`, from files that `metrics.predictions` guards.
"""

from nbhelpers.metrics.bootstrap import Interval, ap_interval, weighted_ap
from nbhelpers.metrics.detection import STAT_NAMES, Curve, DetectionScores, evaluate_coco
from nbhelpers.metrics.overlaps import box_iou, mask_iou
from nbhelpers.metrics.proportion import proportion
from nbhelpers.metrics.results import predict_results, to_coco_results
from nbhelpers.metrics.speed import Latency, time_calls, time_in_turn

__all__ = [
    "evaluate_coco",
    "DetectionScores",
    "Curve",
    "STAT_NAMES",
    "ap_interval",
    "weighted_ap",
    "Interval",
    "proportion",
    "box_iou",
    "mask_iou",
    "to_coco_results",
    "predict_results",
    "time_calls",
    "time_in_turn",
    "Latency",
]
