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
from nbhelpers.data.scenes.surfaces import Room, clouds, look_at_room
from nbhelpers.data.scenes.world import World, find_world

MIN_AREA_PX = 24
MIN_VISIBLE = 0.25
_SHIFT = 4


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
    room = look_at_room(rng, world, camera, wall_m)
    things = arrange(rng, world, camera, wall_m)
    things, visible = _keep_visible(things, camera, factor)
    painted = _paint(things, camera, light)
    color = _compose(rng, painted, things, room, light, camera, wall_m)
    ids = downsample_ids(painted[..., 3], factor, len(things))
    quality = int(rng.integers(world.jpeg_quality[0], world.jpeg_quality[1] + 1))
    image = photograph(rng, world, cv2.resize(color, size, interpolation=cv2.INTER_AREA))
    if world.mirror:
        image, ids = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(ids[:, ::-1])
    return Scene(image, ids, tuple(t.name for t in things), visible, quality)


def _supersampling(size: tuple[int, int]) -> int:
    """Odd or even does not matter: ids are decided by area, not at a point."""
    return 4 if max(size) <= 128 else 3 if max(size) <= 320 else 2


def _sample_camera(rng: np.random.Generator, world: World, width: int, height: int) -> tuple[Camera, float]:
    """A camera whose pitch puts the foot of the back wall at the wanted height of the picture."""
    focal = width / 2 / np.tan(np.deg2rad(rng.uniform(*world.fov_deg)) / 2) * max(1.0, height / width)
    wall_m, above = rng.uniform(*world.wall_distance_m), rng.uniform(*world.camera_height_m)
    line = (0.5 - rng.uniform(*world.horizon)) * height
    pitch = np.arctan2(above, wall_m) + np.arctan2(line, focal)
    yaw = np.deg2rad(rng.uniform(*world.camera_yaw_deg))
    return Camera(float(above), float(yaw), float(pitch), float(focal), width, height), float(wall_m)


def _keep_visible(things: list[Thing], camera: Camera, factor: int) -> tuple[list[Thing], tuple[float, ...]]:
    """Things in painting order without those that would hardly show, and the visible share of each."""
    things = [things[i] for i in things_order(things, camera)]
    alone = [_silhouette(thing, camera) for thing in things]
    while True:
        ids = np.zeros((camera.height, camera.width), np.uint8)
        for index, mask in enumerate(alone):
            ids[mask] = index + 1
        small = downsample_ids(ids, factor, len(things))
        area = np.bincount(small.ravel(), minlength=len(things) + 1)[1:]
        shares = [float((ids == i + 1).sum() / max(1, mask.sum())) for i, mask in enumerate(alone)]
        poor = [i for i, share in enumerate(shares) if share < MIN_VISIBLE or area[i] < MIN_AREA_PX]
        if not poor:
            return things, tuple(shares)
        worst = min(poor, key=lambda i: shares[i])
        things, alone = things[:worst] + things[worst + 1 :], alone[:worst] + alone[worst + 1 :]


def _silhouette(thing: Thing, camera: Camera) -> np.ndarray:
    canvas = np.zeros((camera.height, camera.width), np.uint8)
    for polygon in _front_polygons(thing, camera)[0]:
        cv2.fillConvexPoly(canvas, polygon, 1, cv2.LINE_8, _SHIFT)
    return canvas.astype(bool)


def _front_polygons(thing: Thing, camera: Camera) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Pixels of every polygon that faces the camera, in painting order, with their colours and normals."""
    parts = thing.parts
    low, high = np.stack([p.low for p in parts]), np.stack([p.high for p in parts])
    eye = thing.eye(camera.position)
    order = paint_order(may_hide(low, high, eye), np.linalg.norm((low + high) / 2 - eye, axis=1))
    polygons = [polygon for i in order for polygon in parts[i].polygons]
    colors = np.array([color for i in order for color in parts[i].colors])
    first = np.array([polygon[:3] for polygon in polygons])
    normals = np.cross(first[:, 1] - first[:, 0], first[:, 2] - first[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    front = ((eye - first[:, 0]) * normals).sum(axis=1) > 0
    ends = np.cumsum([len(p) for p in polygons])[:-1]
    pixels = camera.project(thing.to_world(np.concatenate(polygons)))
    fixed = np.split(np.round(pixels * (1 << _SHIFT)).astype(np.int32), ends)
    kept = np.flatnonzero(front)
    return [fixed[i] for i in kept], colors[kept], normals[kept] @ thing.turn.T


def _paint(things: list[Thing], camera: Camera, light: Light) -> np.ndarray:
    """Colours and ids (H, W, 4) uint8: one fill writes both, so they cannot disagree."""
    canvas = np.zeros((camera.height, camera.width, 4), np.uint8)
    for index, thing in enumerate(things):
        polygons, colors, normals = _front_polygons(thing, camera)
        lit = np.clip(colors * light.shade(normals)[:, None], 0, 255)
        for polygon, color in zip(polygons, lit, strict=True):
            cv2.fillConvexPoly(canvas, polygon, (*color.tolist(), index + 1), cv2.LINE_8, _SHIFT)
    return canvas


def downsample_ids(ids: np.ndarray, factor: int, count: int) -> np.ndarray:
    """Ids (H, W) of the final pixels: each belongs to what covers the largest part of it."""
    height, width = ids.shape[0] // factor, ids.shape[1] // factor
    best = np.zeros((height, width), np.uint8)
    most = np.zeros((height, width), np.float32)
    for index in range(count + 1):
        cover = cv2.resize((ids == index).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        wins = cover > most + 1e-6
        best[wins], most[wins] = index, cover[wins]
    return best


def _compose(
    rng: np.random.Generator,
    painted: np.ndarray,
    things: list[Thing],
    room: Room,
    light: Light,
    camera: Camera,
    wall_m: float,
) -> np.ndarray:
    """Lit room and lit things together, (H, W, 3) float32, 0..255 and a little beyond."""
    color = room.color * shadows(things, camera, light, room, wall_m)
    color *= _corner_shade(room, wall_m)[..., None] * light.pools(room.x, room.z)[..., None]
    ids = painted[..., 3]
    mask = ids > 0
    surface = _surface(rng, ids, things, light, camera)
    color[mask] = painted[..., :3][mask] * surface[mask][:, None]
    return color


def _corner_shade(room: Room, wall_m: float) -> np.ndarray:
    """Where wall and floor meet, less light arrives."""
    near = np.exp(-np.abs(wall_m - room.z) / 0.35) * (room.plane == 0)
    foot = np.exp(-room.height / 0.35) * (room.plane != 0)
    up = np.where(room.plane != 0, np.clip(1.02 - 0.05 * room.height, 0.75, 1.0), 1.0)
    return (1 - 0.22 * (near + foot)) * up


def _surface(
    rng: np.random.Generator, ids: np.ndarray, things: list[Thing], light: Light, camera: Camera
) -> np.ndarray:
    """Factor (H, W) float32 on painted things: darker towards the floor, cloudy, lit by lamps near them."""
    foot, tall, lamp = (np.ones(len(things) + 1, np.float32) for _ in range(3))
    for index, thing in enumerate(things, start=1):
        seen = camera.project(thing.corners())[:, 1]
        foot[index], tall[index] = seen.max(), max(1.0, seen.max() - seen.min())
        lamp[index] = light.pools(np.array(thing.x), np.array(thing.z))
    rows = np.arange(ids.shape[0], dtype=np.float32)[:, None]
    up = np.clip((foot[ids] - rows) / tall[ids], 0, 1)
    field = cv2.resize(clouds(rng, 512), (ids.shape[1], ids.shape[0]), interpolation=cv2.INTER_LINEAR)
    return (0.8 + 0.28 * np.sqrt(up)) * (1 + 0.03 * field) * lamp[ids]
