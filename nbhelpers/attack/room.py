"""Pictures in which a patch has a legal place: where it may not cover the things, some leave no room."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from nbhelpers.attack.pictures import Mask, Part
from nbhelpers.attack.poses import CORNERS, legal_centres, side_of, turned
from nbhelpers.attack.rungs import picture_side
from nbhelpers.attack.shapes import shape_mask
from nbhelpers.attack.victim import Victim
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.settings import AttackSection

P = TypeVar("P", bound=Part)


def with_room(part: P, settings: "AttackSection", victim: Victim, say: Callable[[str], None] = print) -> P:
    """The part without pictures in which the patch, at its largest, has no legal place.

    Args:
        part: of a set whose pictures say where a patch may lie; others are returned as they are.
        settings: the section `attack`: share, shape, scale, turns.
        victim: pictures are brought to the side it looks at.
        say: told how many were left out, if any.

    Raises:
        BadInput: none has room; says what to change.
    """
    side_px = picture_side(settings, victim.loaded.config)
    outline = shape_mask(settings.shape, settings.patch_px)
    side = side_of(settings.share, settings.count, float(outline.mean()), side_px) * settings.eot.scale[1]
    low, high = settings.eot.rotation_deg
    poses = [turned(CORNERS, turn) * side / 2 for turn in (low, (low + high) / 2, high)]

    def fits(legal: Mask | None) -> bool:
        return legal is None or all(len(legal_centres(pose, legal, outline)) for pose in poses)

    kept = [picture for picture in part.pictures if fits(picture.legal(side_px))]
    left = len(part.pictures) - len(kept)
    if not kept:
        raise BadInput(
            f"none of {left} pictures has room for a patch of {side:.0f} px beside what it may not cover; "
            "make attack.share smaller, or set attack.avoid=nothing"
        )
    if left:
        say(f"{left} of {len(part.pictures)} pictures are left out: no room for {side:.0f} px of patch")
    return replace(part, pictures=tuple(kept))  # type: ignore[type-var]
