"""`GroundedSam`: Grounding DINO finds, SAM outlines; of the two only what the mode needs is loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nbhelpers.errors import BadInput
from nbhelpers.teach.account import read_choices
from nbhelpers.teach.grounded_sam.classes import AGNOSTIC, DEFAULT_THRESHOLD, class_order, mode_of
from nbhelpers.teach.grounded_sam.everything import Grid
from nbhelpers.teach.grounded_sam.features import FeatureMaps, Seen
from nbhelpers.teach.grounded_sam.loading import Teacher, account, bring, bring_parts, part_of
from nbhelpers.teach.grounded_sam.thresholds import Choice
from nbhelpers.teach.record import TeachersRecord, needed, read_teachers

if TYPE_CHECKING:
    import supervision as sv

    from nbhelpers.data import CocoSet

Image = NDArray[np.uint8]


@dataclass
class GroundedSam:
    """Teachers that label pictures.

    Attributes:
        mode: "detection" (Grounding DINO alone), "detection_and_segmentation" (SAM outlines its boxes) or
            "segmentation" (SAM alone outlines everything, of the one class "object").
        names: class names in the order of class indices; may be empty until `predict` is given a mapping.
        detector, segmenter: None where the mode needs none.
        thresholds: least score by class name; classes that are missing have 0.25, "object" the grid's.
        nms: IoU above which of two boxes of a class the weaker goes.
        batch: pictures of one shape that go through the detector together.
        grid: how SAM alone looks for everything.
        choices: how `choose_thresholds` came to its thresholds.
    """

    mode: str
    names: tuple[str, ...]
    detector: Teacher | None
    segmenter: Teacher | None
    thresholds: dict[str, float] = field(default_factory=dict)
    nms: float = 0.5
    batch: int = 8
    grid: Grid = field(default_factory=Grid)
    choices: list[Choice] = field(default_factory=list)

    @classmethod
    def from_pretrained(
        cls,
        dino: Any = None,
        sam: Any = None,
        *,
        dino_adapter: Path | None = None,
        sam_adapter: Path | None = None,
        merge: bool = True,
        mode: str | None = None,
        class_mapping: Mapping[str, str] | None = None,
        thresholds: Mapping[str, float] | None = None,
        nms: float = 0.5,
        batch: int = 8,
        grid: Grid | None = None,
        device: str = "auto",
    ) -> "GroundedSam":
        """Load the teachers a mode needs.

        Args:
            dino: a Grounding DINO or MM Grounding DINO: a name, a folder, a list of these to try in order, or
                a `models.Loaded` (then changed in place).
            sam: a SAM or SAM 2, likewise.
            dino_adapter: folder of its adapter.
            sam_adapter: likewise.
            merge: add the adapters to the weights.
            mode: None is what the models given are for.
            class_mapping: category id as text to class name.
            thresholds: least score by class name, 0..1.
            nms: see the class.
            batch: see the class.
            grid: see the class.
            device: as `models.load` takes it.

        Raises:
            BadInput: the mode needs a model that is not given, or an adapter is for another model.
            NothingFits: a model could not be loaded; says why.
        """
        mode = mode or mode_of(dino, sam)
        wanted = needed(mode)
        for given, is_needed, name in ((dino, wanted[0], "dino"), (sam, wanted[1], "sam")):
            if is_needed and given is None:
                raise BadInput(f"mode {mode!r} needs {name}: give its name, its folder or a loaded model")
        return cls(
            mode=mode,
            names=AGNOSTIC if mode == "segmentation" else class_order(class_mapping or {}),
            detector=bring(dino, dino_adapter, merge=merge, device=device) if wanted[0] else None,
            segmenter=bring(sam, sam_adapter, merge=merge, device=device) if wanted[1] else None,
            thresholds=dict(thresholds or {}),
            nms=nms,
            batch=batch,
            grid=grid or Grid(),
        )

    @classmethod
    def from_folder(
        cls, folder: Path, device: str = "auto", *, merge: bool = True, batch: int = 8
    ) -> "GroundedSam":
        """Load the teachers that `teachers.json` in a folder names.

        Raises:
            BadInput: the record or an adapter is damaged, or the base model is not the one it names.
            NothingFits: a base model could not be loaded; says why.
        """
        record = read_teachers(folder)
        detector, segmenter = bring_parts(Path(folder), record, merge, device)
        names = AGNOSTIC if record.mode == "segmentation" else record.class_names
        grid = Grid() if record.stability is None else Grid(stability=record.stability)
        rest = dict(record.thresholds), record.nms, batch, grid, read_choices(folder)
        return cls(record.mode, names, detector, segmenter, *rest)

    @property
    def class_names(self) -> list[str]:
        """Names by class index."""
        return list(self.names)

    @property
    def task(self) -> Literal["detect", "segment"]:
        """Whether masks are given."""
        return "segment" if self.segmenter is not None else "detect"

    @property
    def networks(self) -> list[Any]:
        """The models that are loaded."""
        return [part.model for part in (self.detector, self.segmenter) if part]

    def record(self, folder: Path) -> TeachersRecord:
        """What `write_teachers` leaves in `folder`, where the adapters lie below it."""
        return TeachersRecord(
            self.mode,
            self.names,
            dict(self.thresholds),
            self.nms,
            part_of(self.detector, folder),
            part_of(self.segmenter, folder),
            self.grid.stability if self.mode == "segmentation" else None,
        )

    def identity(self) -> dict[str, Any]:
        """All that decides the labels: teachers of equal identity label alike."""
        own = {"mode": self.mode, "names": self.names, "nms": self.nms, "grid": self.grid}
        parts = {"detector": self.detector, "segmenter": self.segmenter}
        return own | {name: part.identity if part else None for name, part in parts.items()}

    def describe(self) -> list[tuple[str, str]]:
        """(what, how) pairs for people."""
        rows = [("mode", self.mode), ("classes", ", ".join(self.names) or "none yet")]
        for name, part in (("detector", self.detector), ("segmenter", self.segmenter)):
            rows.append((name, "not needed, not loaded" if part is None else account(part)))
        shown = ", ".join(f"{name} {self.threshold(name):.2f}" for name in self.names)
        return [*rows, ("thresholds", shown or f"{DEFAULT_THRESHOLD}")]

    def threshold(self, name: str) -> float:
        """The least score of a class."""
        default = self.grid.predicted_iou if self.mode == "segmentation" else DEFAULT_THRESHOLD
        return self.thresholds.get(name, default)

    def predict(
        self,
        images: Sequence[Image],
        class_mapping: Mapping[str, str] | None = None,
        thresholds: Mapping[str, float] | None = None,
        *,
        nms: float | None = None,
        limit: int = 100,
    ) -> "list[sv.Detections]":
        """Label pictures.

        Args:
            images: (H, W, 3) uint8 RGB each, of any sizes; none at all give an empty list.
            class_mapping: category id as text to class name; the class indices follow the ids' order. None
                takes the teachers' own classes. Without meaning in mode "segmentation".
            thresholds: least score by class name; classes that are missing keep the teachers' own.
            nms: IoU above which of two boxes of a class the weaker goes; None is the teachers' own.
            limit: detections kept per picture, strongest first.

        Returns:
            Per picture, strongest first: boxes XYXY float32 in its pixels, `confidence` float32 0..1,
            `class_id` int; `mask` (n, H, W) bool where there is a segmenter (boxes whose mask is empty are
            left out); in `data`: `class_name`, `class_scores` (n, C) float32 and, with masks, `mask_quality`
            (n,) float32, SAM's own estimate of each mask's IoU.

        Raises:
            BadInput: no class to look for, or a picture that is not HWC uint8 RGB.
        """
        return [o.detections for o in self.look(images, class_mapping, thresholds, nms=nms, limit=limit)]

    def predict_one(
        self,
        image: Image,
        confidence: float | None = None,
        iou: float | None = None,
        *,
        max_detections: int = 100,
        multi_label: bool = False,
    ) -> "sv.Detections":
        """Label one picture as a student does: this is what teachers are scored by.

        Args:
            image: (H, W, 3) uint8 RGB.
            confidence: least score of every class; None is the teachers' thresholds.
            iou: of the suppression; None is the teachers' own.
            max_detections: kept at most.
            multi_label: let a box give one detection per class above `confidence`.
        """
        least = None if confidence is None else dict.fromkeys(self.names, confidence)
        found = self.look([image], None, least, nms=iou, limit=max_detections, multi_label=multi_label)
        return found[0].detections

    def features(self, images: Sequence[Image]) -> dict[str, FeatureMaps]:
        """Feature maps of pictures, by teacher: "grounding_dino" and "sam", as far as they are loaded.

        Raises:
            BadInput: no pictures, or no classes to make a prompt of.
        """
        from nbhelpers.teach.grounded_sam.features import stacked

        seen = self.look(images, features=True, labels=False)
        names = list(seen[0].features) if seen else []
        if not names:
            raise BadInput("features: there are no pictures; give at least one")
        return {name: stacked([one.features[name] for one in seen]) for name in names}

    def look(
        self,
        images: Sequence[Image],
        class_mapping: Mapping[str, str] | None = None,
        thresholds: Mapping[str, float] | None = None,
        *,
        nms: float | None = None,
        limit: int = 100,
        multi_label: bool = False,
        features: bool = False,
        labels: bool = True,
    ) -> list[Seen]:
        """`predict`, with the feature maps of the same forward passes where they are asked for.

        Args:
            images: see `predict`.
            class_mapping: see `predict`.
            thresholds: see `predict`.
            nms: see `predict`.
            limit: see `predict`.
            multi_label: see `predict_one`.
            features: keep the feature maps.
            labels: False gives empty detections: only features are wanted.
        """
        from nbhelpers.teach.grounded_sam.looking import Wanted, look_at, same_shape

        names = self._names(class_mapping)
        given = thresholds or {}
        least = np.array([given.get(name, self.threshold(name)) for name in names], np.float32)
        asked = Wanted(names, least, self.nms if nms is None else nms, limit, multi_label, features, labels)
        found: dict[int, Seen] = {}
        for numbers in same_shape(images, self.batch):
            seen = look_at(self, [images[number] for number in numbers], asked)
            found.update(zip(numbers, seen, strict=True))
        return [found[number] for number in range(len(images))]

    def choose_thresholds(self, val: "CocoSet", default: float = DEFAULT_THRESHOLD) -> dict[str, float]:
        """Choose each class's threshold where its F1 on a labelled set is highest, and keep them.

        Boxes are compared at IoU 0.5; SAM alone is judged by its masks, and the stability it asks of them is
        chosen too. See `thresholds.best_thresholds` for classes that the set says nothing about. `choices`
        holds the account.

        Raises:
            BadInput: the set lacks one of the classes.
        """
        from nbhelpers.teach.grounded_sam.choosing import choose_boxes, choose_everything

        if self.detector is not None:
            self.choices = choose_boxes(self, val, default)
        else:
            choice, stability = choose_everything(self, val)
            self.choices, self.grid = [choice], replace(self.grid, stability=stability)
        self.thresholds = {one.name: one.threshold for one in self.choices}
        return dict(self.thresholds)

    def _names(self, class_mapping: Mapping[str, str] | None) -> tuple[str, ...]:
        if self.mode == "segmentation":
            return AGNOSTIC
        if not (names := self.names if class_mapping is None else class_order(class_mapping)):
            raise BadInput("there is no class to look for: give a class_mapping such as {'1': 'box'}")
        return names
