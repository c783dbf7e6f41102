"""Packing operations in drawn videos: who does what when, and frames of it at any time, in memory.

A video is a `Timeline` (operations with start and end) that fixes its frames completely; `render_frames`
draws any of them without the ones before. OpenCV is imported when the first frame is drawn.
"""

from nbhelpers.data.operations.clips import FRAMES, SPACINGS_S, OperationClip, cut_clip, draw_clip
from nbhelpers.data.operations.procedure import OPERATIONS, PACES, Operation, Pace
from nbhelpers.data.operations.questions import Answer, answer_of, ask, parse_answer, told_times, write_answer
from nbhelpers.data.operations.render import render_frames
from nbhelpers.data.operations.timeline import Segment, Timeline, draw_timeline
from nbhelpers.data.operations.world import OPERATION_WORLDS, OperationWorld, View, find_operation_world

__all__ = [
    "Answer",
    "FRAMES",
    "OPERATIONS",
    "OPERATION_WORLDS",
    "Operation",
    "OperationClip",
    "OperationWorld",
    "PACES",
    "Pace",
    "SPACINGS_S",
    "Segment",
    "Timeline",
    "View",
    "answer_of",
    "ask",
    "cut_clip",
    "draw_clip",
    "draw_timeline",
    "find_operation_world",
    "parse_answer",
    "render_frames",
    "told_times",
    "write_answer",
]
