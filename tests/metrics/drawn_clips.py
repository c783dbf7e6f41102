"""Clips of drawn videos with their labels, in the form that predictions are checked against."""

import json
from dataclasses import dataclass, field

import numpy as np

from nbhelpers.data.operations import OperationClip, answer_of, ask, draw_clip, parse_answer, write_answer
from nbhelpers.errors import BadInput


@dataclass(frozen=True)
class LabelledClip:
    clip_id: str
    source: str
    drawn: OperationClip = field(repr=False)
    size: int = 32

    @property
    def times_s(self):
        return self.drawn.times_s

    @property
    def duration_s(self):
        return self.drawn.duration_s

    @property
    def question(self):
        return ask(self.times_s, self.duration_s)

    @property
    def answer(self):
        return write_answer(answer_of(self.drawn))

    def __getattr__(self, name):
        if name in ("operation", "start_s", "end_s", "next_operation"):
            return getattr(answer_of(self.drawn), name)
        raise AttributeError(name)

    def frames(self):
        return self.drawn.pixels(self.size)


@dataclass(frozen=True)
class Reading:
    text: str
    answer: object
    clipped: bool
    seconds: float = 0.01


def draw_labelled(count, seed=5):
    return [LabelledClip(f"clip-{k}", f"video-{k % 6}", draw_clip(seed, k)) for k in range(count)]


def read(clip_id, text, duration_s):
    try:
        said = parse_answer(text)
    except BadInput:
        return Reading(text, None, False)
    end = min(said.end_s, duration_s)
    answer = type(said)(said.operation, min(said.start_s, duration_s), end, said.next_operation)
    return Reading(text, answer, said.end_s > duration_s + 0.05)


def look(inputs):
    """A model of sorts: its answer follows from the frames alone, and is mostly wrong."""
    names = ["Picking", "Assemble Box", "Insert Items", "Close Box", "Scan Label"]
    readings = []
    for one in inputs:
        shade = int(one.frames().astype(np.int64).sum())
        name, after = names[shade % 5], names[(shade // 5) % 5]
        answer = {"operation": name, "start_s": 0.5, "end_s": 2.0, "next_operation": after}
        text = "no idea" if shade % 11 == 0 else json.dumps(answer)
        readings.append(read(one.clip_id, text, one.duration_s))
    return readings
