"""What a drawn warehouse may look like: every range and colour of a world in one place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nbhelpers.errors import BadInput

Range = tuple[float, float]
BASE_CLASSES = ("box", "pallet", "barrel", "cone", "forklift", "shelf")


@dataclass(frozen=True)
class World:
    """Parameters of one world. Scenes of a world differ by seed and index, within these bounds.

    Attributes:
        name: also part of every scene's random seed.
        classes: names in the order of their COCO category ids 1..n.
        floors: (kind, colour) pairs; kinds: concrete, epoxy, tiles, planks, plates.
        walls: (kind, colour) pairs; kinds: brick, blocks, panels, plaster, tiles.
        colors: material name -> possible colours (hex).
        objects: least and greatest number of objects tried per scene.
        fov_deg: horizontal field of view.
        camera_height_m: above the floor.
        camera_yaw_deg: turn to either side of the back wall's normal.
        horizon: where the foot of the back wall lies, as a share of the image height from the top.
        wall_distance_m: from camera to back wall.
        exposure: factor on the finished picture; 1 leaves it.
        contrast: of light and shade on the objects.
        warmth: colour temperature from -1 (cold) to 1 (warm).
        vignette: darkening in the corners, 0..1.
        noise: standard deviation of the sensor noise, grey levels of 255.
        blur_px: Gaussian sigma at 160 px; grows with the root of the size.
        jpeg_quality: of the stored image.
        mirror: turn every picture left to right, lights included.
    """

    name: str
    classes: tuple[str, ...]
    floors: tuple[tuple[str, str], ...]
    walls: tuple[tuple[str, str], ...]
    colors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    objects: tuple[int, int] = (4, 8)
    fov_deg: Range = (46.0, 62.0)
    camera_height_m: Range = (1.5, 2.7)
    camera_yaw_deg: Range = (-16.0, 16.0)
    horizon: Range = (0.3, 0.5)
    wall_distance_m: Range = (6.6, 9.0)
    exposure: Range = (0.68, 1.2)
    contrast: Range = (0.75, 1.15)
    warmth: Range = (-0.8, 0.9)
    vignette: Range = (0.0, 0.35)
    noise: Range = (0.6, 3.4)
    blur_px: Range = (0.0, 0.45)
    jpeg_quality: tuple[int, int] = (84, 95)
    mirror: bool = False


_BASE = World(
    name="base",
    classes=BASE_CLASSES,
    floors=(
        *(("concrete", c) for c in ("#a5a39e", "#8f9291", "#b6afa3")),
        *(("epoxy", c) for c in ("#9aa7a4", "#a9a08c", "#8796a3")),
        *(("tiles", c) for c in ("#b9b2a6", "#9ba3a8")),
        *(("planks", c) for c in ("#a58d6f",)),
    ),
    walls=(
        *(("plaster", c) for c in ("#d6d0c4", "#c3ccce", "#c9cdb9", "#d8c7b0")),
        *(("brick", c) for c in ("#a8705a", "#b08a74", "#c7bfb4")),
        *(("blocks", c) for c in ("#b4b2ab", "#c4c0b4")),
        *(("panels", c) for c in ("#a9b7bf", "#c6c8c4", "#93a599")),
    ),
    colors={
        "carton": ("#c49a6c", "#b98b5c", "#d0aa7e", "#a97f55", "#c9a57f"),
        "tape": ("#e6d3a8", "#8d6f4a", "#efe9da"),
        "wood": ("#c8a273", "#b78e60", "#a58565", "#d2b283"),
        "barrel": ("#2f6ea3", "#a34a38", "#4d7d5b", "#7f868c", "#2c4a66", "#c2842f"),
        "cone": ("#e8672c", "#e2552a", "#f07d33"),
        "band": ("#f3f0ea",),
        "truck": ("#e3a92b", "#e08a2e", "#c94f3a", "#dcb43c"),
        "dark": ("#3b3f44", "#2f3236"),
        "rack": ("#33618f", "#4a7fa8", "#6f7b85", "#3f6f6a"),
        "beam": ("#e08537", "#d9a441", "#c9653b"),
        "board": ("#b8a68c", "#9fa3a5"),
        "tote": ("#5b87a8", "#7fa08a", "#b5655a", "#d1b877", "#8f8fa8", "#dcd8cf", "#58606a"),
        "metal": ("#b9bdc0", "#8d9398"),
        "paint": ("#e8c545", "#f0efe9"),
        "sign": ("#2d6f9f", "#3b7f5a", "#b8433a", "#e0b93d"),
    },
)

_SHIFTED = World(
    name="shifted",
    classes=(*BASE_CLASSES, "ladder", "pallet_jack"),
    floors=(
        *(("epoxy", c) for c in ("#5f7a6a", "#7d5b52", "#55606e")),
        *(("plates", c) for c in ("#6f757b", "#83807a")),
        *(("concrete", c) for c in ("#6d6a66",)),
    ),
    walls=(
        *(("panels", c) for c in ("#4f6672", "#5d7f78", "#7a6f63")),
        *(("brick", c) for c in ("#6f4a45", "#5f6468")),
        *(("tiles", c) for c in ("#8fa3a3",)),
    ),
    colors={
        **_BASE.colors,
        "carton": ("#d9d5cc", "#8fa0ad", "#b3a9a0", "#7f8f84"),
        "tape": ("#3f7fb0", "#c24f45"),
        "wood": ("#3f6ea0", "#6b7076", "#8a5a45"),
        "barrel": ("#e5e2da", "#33363a", "#d8bd3f", "#6c4f86"),
        "cone": ("#c9d437", "#e3c832", "#d94f7a"),
        "band": ("#2f3236", "#f3f0ea"),
        "truck": ("#3f8a5f", "#3d7cab", "#d9d6cf", "#7d5a9a"),
        "rack": ("#2f5f45", "#3a3d42", "#8a3f3a"),
        "beam": ("#c9cdd0", "#7fa35f"),
        "ladder": ("#c3c8cc", "#d9a13d"),
        "jack": ("#c0392f", "#3a7d9c", "#d9932f"),
    },
    fov_deg=(40.0, 52.0),
    camera_height_m=(1.9, 3.2),
    wall_distance_m=(8.2, 11.0),
    exposure=(0.48, 0.8),
    warmth=(-1.0, 0.2),
    vignette=(0.2, 0.5),
    noise=(3.0, 8.0),
    mirror=True,
)

WORLDS: Mapping[str, World] = {world.name: world for world in (_BASE, _SHIFTED)}


def find_world(world: "str | World") -> World:
    """Look a world up by name; a `World` of one's own passes through.

    Raises:
        BadInput: no world has this name.
    """
    if isinstance(world, World):
        return world
    if world not in WORLDS:
        raise BadInput(f"world {world!r} is unknown; known worlds: {', '.join(WORLDS)}")
    return WORLDS[world]
