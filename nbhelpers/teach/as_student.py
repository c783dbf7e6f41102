"""Teachers behind the interface of a student: one picture in, detections out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import supervision as sv

    from nbhelpers.teach.grounded_sam import GroundedSam


@dataclass(frozen=True)
class AsStudent:
    """Lets the functions that score, time and draw students do so with teachers.

    Attributes:
        teachers: loaded, with the classes they are asked for.
    """

    teachers: "GroundedSam"

    @property
    def name(self) -> str:
        """The models, for people."""
        parts = (self.teachers.detector, self.teachers.segmenter)
        return " + ".join(part.base for part in parts if part is not None)

    @property
    def class_names(self) -> list[str]:
        """Names by class index."""
        return self.teachers.class_names

    @property
    def task(self) -> str:
        """`detect` or `segment`."""
        return self.teachers.task

    @property
    def nms(self) -> float:
        """The IoU above which of two boxes of a class the weaker goes, as the teachers were tuned with."""
        return self.teachers.nms

    def predict(
        self,
        image: NDArray[np.uint8],
        confidence: float | None = None,
        iou: float | None = None,
        **options: Any,
    ) -> "sv.Detections":
        """Detections of one picture; see `GroundedSam.predict_one`.

        Args:
            image: (H, W, 3) uint8 RGB.
            confidence: least score of every class, 0..1; None is the teachers' own thresholds.
            iou: of the suppression; None is the teachers' own.
            options: `max_detections`, `multi_label`.
        """
        return self.teachers.predict_one(image, confidence, iou, **options)
