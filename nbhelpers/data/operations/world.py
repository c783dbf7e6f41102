"""What drawn packing stations may look like: a world for pre-training and a shifted one to adapt to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nbhelpers.data.operations.procedure import OPERATIONS, SMALL_IDS, Operation, operations_by_id
from nbhelpers.errors import BadInput

Range = tuple[float, float]
Colors = tuple[str, ...]


@dataclass(frozen=True)
class View:
    """Where a camera may stand: yaw and pitch in degrees (pitch: looking down), width seen in metres."""

    yaw_deg: Range
    pitch_deg: Range
    width_m: Range


@dataclass(frozen=True)
class OperationWorld:
    """Ranges the look of a video is drawn from; colours are hex, ranges uniform.

    Attributes:
        name: of the world; part of every video's seed.
        operations: of the small set, in the order of the procedure.
        all_operations: of the full set, in the order of the procedure.
        views: cameras; each video has one.
        walls: kinds of background: plaster, brick, panels, stripes, shelves.
        gain: factor on the finished picture.
        cast: largest deviation of a colour channel's own factor from 1.
        vignette: darkening in the corners, 0..1.
        noise: standard deviation of the sensor noise, grey levels of 255.
        blocked: share of videos with something standing in front of the scene.
        clutter: least and greatest number of idle things on the table.
        mirror: turn every picture left to right.
        patterned: boxes carry a printed pattern.
    """

    name: str
    operations: tuple[Operation, ...]
    all_operations: tuple[Operation, ...]
    views: tuple[View, ...]
    box: Colors
    tape: Colors
    box_label: Colors
    shipping: Colors
    shirt: Colors
    vest: Colors
    table: Colors
    wall: Colors
    tote: Colors
    items: Colors
    scanner: Colors
    beam: Colors
    gun: Colors
    skin: Colors = ("#f1c9a5", "#d9a577", "#b27b50", "#8a5a38", "#5f3d28")
    hair: Colors = ("#2b211c", "#5b3d26", "#8b6a3e", "#b9b2a8", "#3f6ea3", "#b53c34", "#e0c23f")
    walls: tuple[str, ...] = ("plaster", "brick", "panels", "stripes", "shelves")
    gain: Range = (0.45, 1.25)
    cast: float = 0.12
    vignette: Range = (0.0, 0.4)
    noise: Range = (0.5, 5.0)
    blocked: float = 0.25
    clutter: tuple[int, int] = (0, 4)
    mirror: bool = False
    patterned: bool = False


_BASE = OperationWorld(
    name="base",
    operations=operations_by_id(SMALL_IDS),
    all_operations=OPERATIONS,
    views=(
        View((-8, 8), (26, 36), (1.75, 2.05)),
        View((14, 26), (32, 44), (1.8, 2.1)),
        View((-26, -14), (32, 44), (1.8, 2.1)),
    ),
    box=("#c49a6c", "#b98b5c", "#d0aa7e", "#a97f55", "#cfa273"),
    tape=("#e9dcb8", "#f4efe4", "#8a5f35"),
    box_label=("#f6d93b", "#f2c522", "#ffe566"),
    shipping=("#fbfbf8", "#f1f4f6"),
    shirt=("#3a5f8f", "#5c6670", "#7b3f3f", "#4f7a5a", "#8a86a0", "#c9c4b8", "#2f3a4a"),
    vest=("#e8752a", "#cfe03a", "#f0a02c"),
    table=("#8d8f8e", "#b7a58b", "#6f7d86", "#a9b2ac", "#c9c2b4", "#5f6a62"),
    wall=("#d6d0c4", "#a9b7bf", "#b08a74", "#93a599", "#c9c9c4", "#8a8f98", "#d8c7b0"),
    tote=("#2f6ea3", "#3b7f5a", "#6b7076", "#a34a38"),
    items=("#d2433a", "#3f7fc4", "#46a35a", "#8b54a8", "#e39a2d", "#33b3b0"),
    scanner=("#2b2e33", "#3d4148"),
    beam=("#ff2a2a", "#ff4438"),
    gun=("#d6382c", "#c9452f"),
)

_SHIFTED = replace(
    _BASE,
    name="shifted",
    # "Close Box" goes by another name here, and filling out the order was never seen in the base world.
    operations=tuple(
        Operation(500, "Seal Carton") if one.id == 500 else one
        for one in operations_by_id((100, 300, 400, 500, 600, 700, 1000, 800, 900))
    ),
    all_operations=tuple(Operation(500, "Seal Carton") if one.id == 500 else one for one in OPERATIONS),
    views=(View((-12, 12), (40, 50), (2.1, 2.4)), View((20, 32), (38, 48), (2.1, 2.4))),
    box=("#dcdad4", "#9fb0bd", "#7f93a3", "#c7ccd0"),
    tape=("#c2372e", "#2f7fc0"),
    box_label=("#58c46a", "#f08ab0"),
    shipping=("#f7c9d6", "#bfe3f2"),
    shirt=("#7a2f6a", "#1f6f6a", "#e2e2dc", "#b58a2a"),
    vest=("#e04f8f", "#4fd0c0"),
    table=("#3f464c", "#5a4636", "#2f4a52"),
    wall=("#4f6672", "#6f4a45", "#5d7f78", "#55584f"),
    tote=("#d8bd3f", "#e5e2da", "#6c4f86"),
    items=("#f2efe6", "#2a2d31", "#c7d43a", "#e36fa0"),
    scanner=("#e8c33a", "#e9ecee"),
    beam=("#3dff6a", "#42e0ff"),
    gun=("#2f9f7a", "#3c58c9"),
    walls=("panels", "stripes", "mesh"),
    gain=(0.38, 0.8),
    cast=0.25,
    vignette=(0.2, 0.5),
    noise=(3.0, 7.0),
    blocked=0.35,
    mirror=True,
    patterned=True,
)

OPERATION_WORLDS: Mapping[str, OperationWorld] = {world.name: world for world in (_BASE, _SHIFTED)}


def find_operation_world(world: "str | OperationWorld") -> OperationWorld:
    """Look a world up by name; an `OperationWorld` of one's own passes through.

    Raises:
        BadInput: no world has this name.
    """
    if isinstance(world, OperationWorld):
        return world
    if world not in OPERATION_WORLDS:
        raise BadInput(f"world {world!r} is unknown; known worlds: {', '.join(OPERATION_WORLDS)}")
    return OPERATION_WORLDS[world]
