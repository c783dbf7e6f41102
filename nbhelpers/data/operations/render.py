"""Frames of a drawn video at any times, in memory."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from nbhelpers.data.operations.actions import ACTIONS, Box, History, Moment, Pose, mix
from nbhelpers.data.operations.backdrop import eye_of, paint_backdrop
from nbhelpers.data.operations.bodies import draw_arms, draw_box, draw_worker
from nbhelpers.data.operations.camera import Point, Sketch
from nbhelpers.data.operations.look import Look, Passer, draw_look, shade
from nbhelpers.data.operations.timeline import Timeline
from nbhelpers.data.operations.tools import draw_prop
from nbhelpers.errors import BadInput

# Raise it with every change of the pictures: whoever keeps frames or videos must draw them again.
RENDERER = 1
_BLEND_S = 0.25  # hands take this long from one operation to the next
_BEAT_S = 0.95


def render_frames(
    timeline: Timeline, times_s: Sequence[float], size: int = 84, camera: int = 0
) -> np.ndarray:
    """Draw frames of a video; a frame depends on the timeline, its time and the size, not on other frames.

    Args:
        timeline: of the video.
        times_s: seconds from its start, in any order.
        size: side of the square frames in pixels, 32 to 1024.
        camera: which of those that film the same work.

    Returns:
        (len(times_s), size, size, 3) uint8 RGB.

    Raises:
        BadInput: a size out of range, or a time outside the video.
    """
    if not 32 <= size <= 1024:
        raise BadInput(f"frames of {size} pixels: 32 to 1024 are possible")
    outside = [time for time in times_s if not 0 <= time <= timeline.duration_s]
    if outside:
        raise BadInput(f"frame at {outside[0]} s: the video lasts from 0 to {timeline.duration_s} s")
    import cv2

    scene = Scene(timeline, camera)
    oversampling = 3 if size <= 128 else 2
    backdrop = paint_backdrop(scene.look, size * oversampling)
    frames = np.empty((len(times_s), size, size, 3), np.uint8)
    for place, time_s in enumerate(times_s):
        canvas = backdrop.copy()
        scene.sketch(time_s).paint(canvas, scene.look.camera)
        cv2.resize(canvas, (size, size), dst=frames[place], interpolation=cv2.INTER_AREA)
    frames = _lit(frames, scene.look, times_s)
    return np.ascontiguousarray(frames[:, :, ::-1]) if timeline.world.mirror else frames


class Scene:
    """A timeline with its look: what is where at any time."""

    def __init__(self, timeline: Timeline, camera: int = 0) -> None:
        self.timeline = timeline
        self.look = draw_look(timeline, camera)
        history = History()
        self.labels = [history.enter(segment.operation.id) for segment in timeline.segments]
        self._eye = eye_of(self.look)

    def pose(self, time_s: float) -> Pose:
        """Worker, box and tools at a time; hands glide over from the operation before."""
        place = self.timeline.position(time_s)
        segment = self.timeline.segments[place]
        since = time_s - segment.start_s
        pose = self._pose_in(place, time_s)
        if place == 0 or since >= _BLEND_S:
            return pose
        before, share = self._pose_in(place - 1, segment.start_s), since / _BLEND_S
        return Pose(
            mix(before.left, pose.left, share),
            mix(before.right, pose.right, share),
            before.shift + (pose.shift - before.shift) * share,
            before.bow + (pose.bow - before.bow) * share,
            before.gaze + (pose.gaze - before.gaze) * share,
            pose.box,
            pose.props,
        )

    def _pose_in(self, place: int, time_s: float) -> Pose:
        segment, look = self.timeline.segments[place], self.look
        label, shipping = self.labels[place]
        box = Box((*look.box_at, 0.0), look.box_size, label=label, shipping=shipping)
        since = time_s - segment.start_s
        beats = since * look.tempo / _BEAT_S
        return ACTIONS[segment.operation.id](Moment(min(1.0, since / segment.duration_s), beats, box))

    def sketch(self, time_s: float) -> Sketch:
        """Everything that moves at a time, back to front."""
        sketch, pose, look = Sketch(), self.pose(time_s), self.look
        for passer in look.passers:
            if not passer.near:
                _draw_passer(sketch, passer, time_s)
        draw_worker(sketch, pose, look)
        if pose.box is not None:
            draw_box(sketch, self._eye, pose.box, look)
        held_under = [
            prop for prop in pose.props if prop.kind in ("board", "form", "parcel", "sheet", "item")
        ]
        for prop in held_under:
            draw_prop(sketch, self._eye, prop, look)
        draw_arms(sketch, pose, look)
        for prop in pose.props:
            if prop not in held_under:
                draw_prop(sketch, self._eye, prop, look)
        self._foreground(sketch, time_s)
        return sketch

    def _foreground(self, sketch: Sketch, time_s: float) -> None:
        for passer in self.look.passers:
            if passer.near:
                _draw_passer(sketch, passer, time_s)
        if self.look.post is not None:
            share, width = self.look.post
            x = (share - 0.5) * 1.7
            sketch.limb([(x, -0.5, -0.9), (x, -0.5, 1.6)], width, shade(self.look.colors["table"], 0.5))


def _draw_passer(sketch: Sketch, passer: Passer, time_s: float) -> None:
    x = passer.x_m + passer.speed_m_s * (time_s - passer.start_s)
    if abs(x) > 1.7:
        return
    y, low, width = (-0.7, -0.9, 0.26) if passer.near else (1.55, 0.16, 0.26)
    sketch.limb([(x, y, low), (x, y, 0.42)], width, passer.color)
    sketch.limb([(x, y, low), (x, y, 0.4)], width * 0.5, shade(passer.color, 0.85))
    head: Point = (x, y, 0.68)
    sketch.disc(head, 0.11, (60, 45, 38))


@lru_cache(maxsize=8)
def _noise_tile(side: int) -> np.ndarray:
    return np.random.default_rng(side).standard_normal((2 * side, 2 * side, 3)).astype(np.float32)


@lru_cache(maxsize=8)
def _radius(side: int) -> np.ndarray:
    axis = np.linspace(-1, 1, side, dtype=np.float32) ** 2
    return (axis[:, None] + axis[None, :])[..., None] / 2


def _lit(frames: np.ndarray, look: Look, times_s: Sequence[float]) -> np.ndarray:
    """Light, vignette and sensor noise; the noise of a frame depends on its time alone."""
    side = frames.shape[1]
    light = np.array(look.gain, np.float32) * (1 - look.vignette * _radius(side))
    tile = _noise_tile(side) * np.float32(look.noise)
    lit = np.empty_like(frames)
    for place, time_s in enumerate(times_s):
        key = round(time_s * 1000)
        row, column = key * 31 % side, key * 17 % side
        picture = frames[place] * light + tile[row : row + side, column : column + side]
        np.clip(picture, 0, 255, out=picture)
        lit[place] = picture
    return lit
