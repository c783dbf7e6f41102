"""Solid things as pixels: polygons in painting order, with an id beside every colour."""

from dataclasses import dataclass

import cv2
import numpy as np

from nbhelpers.data.scenes.camera import Camera
from nbhelpers.data.scenes.layout import Thing, things_order
from nbhelpers.data.scenes.light import Light
from nbhelpers.data.scenes.mesh import may_hide, paint_order

MIN_AREA_PX = 24
MIN_VISIBLE = 0.25
_SHIFT = 4  # binary places of OpenCV's sub-pixel corners


@dataclass(frozen=True, eq=False)
class Body:
    """A thing as the camera sees it.

    `polygons` are the corners (n, 2) int32, in 1/16 pixel, of what faces the camera, in painting order, with
    `colors` (P, 3) and unit `normals` (P, 3) in the room.
    """

    thing: Thing
    polygons: list[np.ndarray]
    colors: np.ndarray
    normals: np.ndarray


def seen_by(thing: Thing, camera: Camera) -> Body:
    """Project what faces the camera, its parts sorted so that painting in order hides what is hidden."""
    low, high = thing.shape.part_low, thing.shape.part_high
    eye = thing.eye(camera.position)
    order = paint_order(may_hide(low, high, eye), np.linalg.norm((low + high) / 2 - eye, axis=1))
    polygons = [polygon for i in order for polygon in thing.shape.parts[i].polygons]
    colors = np.array([color for i in order for color in thing.shape.parts[i].colors])
    counts = np.array([len(polygon) for polygon in polygons])
    points = np.concatenate(polygons)
    first = np.cumsum(counts) - counts
    normals = np.cross(points[first + 1] - points[first], points[first + 2] - points[first])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    front = np.flatnonzero(((eye - points[first]) * normals).sum(axis=1) > 0)
    pixels = np.round(camera.project(thing.to_world(points)) * (1 << _SHIFT)).astype(np.int32)
    kept = [pixels[first[i] : first[i] + counts[i]] for i in front]
    return Body(thing, kept, colors[front], normals[front] @ thing.turn.T)


def keep_visible(bodies: list[Body], camera: Camera, factor: int) -> tuple[list[Body], tuple[float, ...]]:
    """Bodies in painting order without those that would hardly show, and the visible share of each."""
    bodies = [bodies[i] for i in things_order([body.thing for body in bodies], camera)]
    alone = [_silhouette(body, camera) for body in bodies]
    while True:
        ids = np.zeros((camera.height, camera.width), np.uint8)
        for index, mask in enumerate(alone):
            ids[mask] = index + 1
        seen = np.bincount(ids.ravel(), minlength=len(bodies) + 1)[1:]
        shares = [float(seen[i] / max(1, np.count_nonzero(mask))) for i, mask in enumerate(alone)]
        poor = [i for i, share in enumerate(shares) if share < MIN_VISIBLE]
        if not poor:
            small = downsample_ids(ids, factor, len(bodies))
            area = np.bincount(small.ravel(), minlength=len(bodies) + 1)[1:]
            poor = [i for i in range(len(bodies)) if area[i] < MIN_AREA_PX]
        if not poor:
            return bodies, tuple(shares)
        worst = min(poor, key=lambda i: shares[i])
        bodies, alone = bodies[:worst] + bodies[worst + 1 :], alone[:worst] + alone[worst + 1 :]


def _silhouette(body: Body, camera: Camera) -> np.ndarray:
    canvas = np.zeros((camera.height, camera.width), np.uint8)
    for polygon in body.polygons:
        cv2.fillConvexPoly(canvas, polygon, 1, cv2.LINE_8, _SHIFT)
    return canvas.view(bool)


def paint(bodies: list[Body], camera: Camera, light: Light) -> np.ndarray:
    """Colours and ids (H, W, 4) uint8: one fill writes both, so they cannot disagree."""
    canvas = np.zeros((camera.height, camera.width, 4), np.uint8)
    for index, body in enumerate(bodies):
        if body.thing.y > 0:
            _ground(canvas, body.thing, camera, light)
        lit = np.clip(body.colors * light.shade(body.normals)[:, None], 0, 255).tolist()
        for polygon, color in zip(body.polygons, lit, strict=True):
            cv2.fillConvexPoly(canvas, polygon, (*color, index + 1), cv2.LINE_8, _SHIFT)
    return canvas


def _ground(canvas: np.ndarray, thing: Thing, camera: Camera, light: Light) -> None:
    """Darken what a stacked thing stands on, round its foot and away from the light."""
    shape = thing.shape
    foot = thing.cuboids(shape.low[None] - 0.02, shape.high[None] + 0.02)[0] * (1, 0, 1)
    lift = np.array([0.0, thing.y, 0.0])
    away = foot + lift - light.to_light * (1, 0, 1) * 0.12
    points = camera.project(np.concatenate([foot + lift, away])).astype(np.float32)
    blur = 0.006 * max(canvas.shape[:2])
    left, top, width, height = cv2.boundingRect(points)
    pad = int(3 * blur) + 1
    x0, y0 = max(0, left - pad), max(0, top - pad)
    region = canvas[y0 : top + height + pad, x0 : left + width + pad, :3]
    if region.size:
        mask = np.zeros(region.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, np.round(cv2.convexHull(points) - (x0, y0)).astype(np.int32), 255)
        soft = cv2.GaussianBlur(mask, (0, 0), blur).astype(np.float32)[..., None]
        region[:] = region * (1 - np.float32(0.45 / 255) * soft)


def downsample_ids(ids: np.ndarray, factor: int, count: int) -> np.ndarray:
    """Ids (H, W) of the final pixels: each belongs to what covers the largest part of it."""
    size = ids.shape[1] // factor, ids.shape[0] // factor
    best, most = np.zeros(size[::-1], np.uint8), np.zeros(size[::-1], np.uint8)
    for index in range(count + 1):
        cover = cv2.resize((ids == index).view(np.uint8) * np.uint8(240), size, interpolation=cv2.INTER_AREA)
        wins = cover > most
        best[wins], most[wins] = index, cover[wins]
    return best
