"""Still pictures of one or two coloured objects anywhere, with questions, answers, captions and texts.

The larger object is larger by a clear margin, objects do not touch, and every picture holds its masks: what a
twin is trained on, and what a patch may be laid over. OpenCV is imported when the first picture is drawn.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.data.stills.questions import TASKS, answer, caption, phrasings
    from nbhelpers.data.stills.render import Still, StillObject, render_still
    from nbhelpers.data.stills.skills import SKILLS, draw_skill
    from nbhelpers.data.stills.stickers import STICKER_STYLES, add_sticker
    from nbhelpers.data.stills.texts import KINDS_OF_TEXT, draw_text
    from nbhelpers.data.stills.world import STILL_WORLDS, StillWorld, find_still_world

_HOME = {
    **dict.fromkeys(("render_still", "Still", "StillObject"), "render"),
    **dict.fromkeys(("TASKS", "answer", "caption", "phrasings"), "questions"),
    **dict.fromkeys(("SKILLS", "draw_skill"), "skills"),
    **dict.fromkeys(("STICKER_STYLES", "add_sticker"), "stickers"),
    **dict.fromkeys(("KINDS_OF_TEXT", "draw_text"), "texts"),
    **dict.fromkeys(("STILL_WORLDS", "StillWorld", "find_still_world"), "world"),
}

__all__ = [
    "render_still", "Still", "StillObject", "TASKS", "phrasings", "answer", "caption",
    "STICKER_STYLES", "add_sticker", "SKILLS", "draw_skill",
    "KINDS_OF_TEXT", "draw_text", "STILL_WORLDS", "StillWorld", "find_still_world",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
