"""Pictures with questions: drawn scenes, folders of photographs, COCO sets; parts fixed by hash.

What a patch is learned on, chosen on and scored on (notebook 05).
"""

from nbhelpers.data.pictures.parts import part_of
from nbhelpers.data.pictures.picture import Asked, PicturePart, PictureSet, Shown
from nbhelpers.data.pictures.portrait import portrait
from nbhelpers.data.pictures.questions import photograph_questions, still_questions
from nbhelpers.data.pictures.sources import (
    coco_pictures,
    drawn_pictures,
    folder_pictures,
    pictures_or_default,
)

__all__ = [
    "Asked",
    "Shown",
    "PictureSet",
    "PicturePart",
    "drawn_pictures",
    "folder_pictures",
    "coco_pictures",
    "pictures_or_default",
    "still_questions",
    "photograph_questions",
    "part_of",
    "portrait",
]
