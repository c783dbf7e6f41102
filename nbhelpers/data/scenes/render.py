"""One scene: arrange, paint, light, photograph."""

import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from nbhelpers.data.scenes.camera import Camera
from nbhelpers.data.scenes.layout import Thing, arrange
from nbhelpers.data.scenes.light import Light, sample_light, shadows
from nbhelpers.data.scenes.photo import photograph
from nbhelpers.data.scenes.raster import Body, downsample_ids, keep_visible, paint, seen_by
from nbhelpers.data.scenes.room import FLOOR, Room, look_at_room
from nbhelpers.data.scenes.textures import clouds
from nbhelpers.data.scenes.world import World, find_world

MIN_OBJECTS = 2
_STAGINGS = 8
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
    painted = paint(bodies, camera, light)
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
) -> tuple[list["Body"], tuple[float, ...]]:
    """Arrange things until two or more can be seen; a world that has no room for two gets what there is."""
    for _ in range(_STAGINGS):
        bodies = [seen_by(thing, camera) for thing in arrange(rng, world, camera, wall_m)]
        bodies, visible = keep_visible(bodies, camera, factor)
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
