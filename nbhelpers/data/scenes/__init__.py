"""Small warehouse scenes, drawn with exact masks: the data set that needs no download.

A room, a camera and a few solid bodies in true perspective; each polygon is painted together with the id of
its object, so the masks are what is seen. OpenCV is imported when the first scene is drawn.
"""

from nbhelpers.data.scenes.dataset import draw_scenes
from nbhelpers.data.scenes.world import BASE_CLASSES, WORLDS, World, find_world

__all__ = ["draw_scenes", "World", "WORLDS", "BASE_CLASSES", "find_world"]
