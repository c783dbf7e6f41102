"""One scene: arrange, paint back to front with an id beside every colour, light, photograph."""

import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from nbhelpers.data.scenes.camera import Camera
from nbhelpers.data.scenes.layout import Thing, arrange, things_order
from nbhelpers.data.scenes.light import Light, sample_light, shadows
from nbhelpers.data.scenes.mesh import may_hide, paint_order
from nbhelpers.data.scenes.photo import photograph
from nbhelpers.data.scenes.surfaces import FLOOR, Room, clouds, look_at_room
from nbhelpers.data.scenes.world import World, find_world

MIN_AREA_PX = 24
MIN_VISIBLE = 0.25
MIN_OBJECTS = 2
_STAGINGS = 8
_SHIFT = 4
# The empty room has no masks to keep exact: two samples per pixel and direction are enough.
_ROOM_SCALE = 2


@dataclass(frozen=True)
class Scene:
    """A drawn scene.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        ids: (H, W) uint8; 0 is background, k is the object `names[k - 1]`.
        names: class name per object, back to front.
        visible: per object the share of its silhouette inside the picture that nothing hides.
        jpeg_quality: with which the picture is meant to be stored.
    """

    image: np.ndarray
    ids: np.ndarray
    names: tuple[str, ...]
    visible: tuple[float, ...]
    jpeg_quality: int


def render_scene(index: int, size: tuple[int, int], seed: int = 0, world: World | str = "base") -> Scene:
    """Draw scene `index` of a world; it depends on nothing but the arguments.

    Every visible object is labelled: what would show less than 25 % of itself, or less than 24 pixels,
    is taken out of the scene before it is painted.

    Args:
        index: of the scene, from 0.
        size: (width, height) of the picture in pixels, 64 to 2048 each.
        seed: of the whole set.
        world: name or parameters of the world.
    """
    world = find_world(world)
    rng = np.random.default_rng([seed, zlib.crc32(world.name.encode()), index])
    factor = _supersampling(size)
    camera, wall_m = _sample_camera(rng, world, size[0] * factor, size[1] * factor)
    light = sample_light(rng, float(rng.uniform(*world.contrast)))
    bodies, visible = _stage(rng, world, camera, wall_m, factor)
    painted = _paint(bodies, camera, light)
    ids = downsample_ids(painted[..., 3], factor, len(bodies))
    things = [body.thing for body in bodies]
    room = _lit_room(rng, world, things, light, camera.resized(_ROOM_SCALE / factor), wall_m)
    color = cv2.resize(room, size, interpolation=cv2.INTER_AREA)
    color = _over(color, painted, _surface(rng, ids, things, light, camera, factor))
    quality = int(rng.integers(world.jpeg_quality[0], world.jpeg_quality[1] + 1))
    image = photograph(rng, world, color)
    if world.mirror:
        image, ids = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(ids[:, ::-1])
    return Scene(image, ids, tuple(thing.name for thing in things), visible, quality)


def _stage(
    rng: np.random.Generator, world: World, camera: Camera, wall_m: float, factor: int
) -> tuple[list["_Body"], tuple[float, ...]]:
    """Arrange things until two or more can be seen; a world that has no room for two gets what there is."""
    for _ in range(_STAGINGS):
        bodies = [_seen(thing, camera) for thing in arrange(rng, world, camera, wall_m)]
        bodies, visible = _keep_visible(bodies, camera, factor)
        if len(bodies) >= MIN_OBJECTS:
            break
    return bodies, visible


def _supersampling(size: tuple[int, int]) -> int:
    """Samples per pixel and direction: more where a pixel is more of the picture."""
    return 4 if max(size) <= 128 else 3 if max(size) <= 320 else 2


def _sample_camera(rng: np.random.Generator, world: World, width: int, height: int) -> tuple[Camera, float]:
    """A camera whose pitch puts the foot of the back wall at the wanted height of the picture."""
    focal = width / 2 / np.tan(np.deg2rad(rng.uniform(*world.fov_deg)) / 2) * max(1.0, height / width)
    wall_m, above = rng.uniform(*world.wall_distance_m), rng.uniform(*world.camera_height_m)
    line = (0.5 - rng.uniform(*world.horizon)) * height
    pitch = np.arctan2(above, wall_m) + np.arctan2(line, focal)
    yaw = np.deg2rad(rng.uniform(*world.camera_yaw_deg))
    return Camera(float(above), float(yaw), float(pitch), float(focal), width, height), float(wall_m)


@dataclass(frozen=True, eq=False)
class _Body:
    """A thing as the camera sees it.

    `polygons` are the corners (n, 2) int32, in 1/16 pixel, of what faces the camera, in painting order, with
    `colors` (P, 3) and unit `normals` (P, 3) in the room.
    """

    thing: Thing
    polygons: list[np.ndarray]
    colors: np.ndarray
    normals: np.ndarray


def _seen(thing: Thing, camera: Camera) -> _Body:
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
    return _Body(thing, kept, colors[front], normals[front] @ thing.turn.T)


def _keep_visible(bodies: list[_Body], camera: Camera, factor: int) -> tuple[list[_Body], tuple[float, ...]]:
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


def _silhouette(body: _Body, camera: Camera) -> np.ndarray:
    canvas = np.zeros((camera.height, camera.width), np.uint8)
    for polygon in body.polygons:
        cv2.fillConvexPoly(canvas, polygon, 1, cv2.LINE_8, _SHIFT)
    return canvas.view(bool)


def _paint(bodies: list[_Body], camera: Camera, light: Light) -> np.ndarray:
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


def _lit_room(
    rng: np.random.Generator, world: World, things: list[Thing], light: Light, camera: Camera, wall_m: float
) -> np.ndarray:
    """The room with its light and shadows, (H, W, 3) float32, 0..255 and a little beyond."""
    room = look_at_room(rng, world, camera, wall_m)
    gain = shadows(things, camera, light, room, wall_m) * light.pools(room.x, room.z)
    return room.color * (gain * _corner_shade(room, wall_m))[..., None]


def _corner_shade(room: Room, wall_m: float) -> np.ndarray:
    """Less light arrives where wall and floor meet, and high up on a wall."""
    floor = room.plane == FLOOR
    near = np.exp(-np.where(floor, np.abs(wall_m - room.z), room.height) / np.float32(0.35))
    return (1 - 0.22 * near) * np.where(floor, 1, np.clip(1.02 - 0.05 * room.height, 0.75, 1))


def _surface(
    rng: np.random.Generator,
    ids: np.ndarray,
    things: list[Thing],
    light: Light,
    camera: Camera,
    factor: int,
) -> np.ndarray:
    """Factor (H, W) float32 on painted things: darker towards the foot, cloudy, lit by lamps near them."""
    foot, tall, lamp = (np.ones(len(things) + 1, np.float32) for _ in range(3))
    for index, thing in enumerate(things, start=1):
        seen = camera.project(thing.corners)[:, 1] / factor
        foot[index], tall[index] = seen.max(), max(1.0, seen.max() - seen.min())
        lamp[index] = light.pools(np.array(thing.x), np.array(thing.z))
    rows = np.arange(ids.shape[0], dtype=np.float32)[:, None]
    up = np.clip((foot[ids] - rows) / tall[ids], 0, 1)
    field = cv2.resize(clouds(rng, 384), ids.shape[::-1], interpolation=cv2.INTER_AREA)
    return (0.8 + 0.28 * np.sqrt(up)) * (1 + 0.03 * field) * lamp[ids]


def _over(room: np.ndarray, painted: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """Painted things over the room, edges mixed by how much of each pixel they cover."""
    size = room.shape[1], room.shape[0]
    things = cv2.resize(painted[..., :3], size, interpolation=cv2.INTER_AREA).astype(np.float32)
    taken = (painted[..., 3] > 0).view(np.uint8) * np.uint8(255)
    cover = cv2.resize(taken, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    # What no thing covers was painted black, so the mean colour is already weighted by the cover.
    return things * surface[..., None] + room * (1 - cover)[..., None]
