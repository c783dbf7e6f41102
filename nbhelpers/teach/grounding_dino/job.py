"""One training of the detector: what it is given, in which precision, and how it is scored."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from nbhelpers.artifacts import read_json, write_json
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet
    from nbhelpers.models import Loaded
    from nbhelpers.settings.sections import TeachSection

Precision = Literal["no", "fp16", "bf16"]
Scores = dict[str, dict[str, float]]
Say = Callable[[str], None]
_AUTOCAST: dict[str, Precision] = {"float16": "fp16", "bfloat16": "bf16"}


@dataclass(frozen=True)
class Job:
    """One training: what it is given and where it leaves its files.

    Attributes:
        loaded: the base model.
        train, val: to learn from, and to score on.
        settings: the `teach` section.
        folder: of the files.
        say: takes the lines meant for people.
        precision: of the forward passes while training.
        mark: the fingerprint of all this.
    """

    loaded: "Loaded"
    train: "CocoSet"
    val: "CocoSet"
    settings: "TeachSection"
    folder: Path
    say: Say
    precision: Precision
    mark: str

    def results(self, model: Any) -> list[dict[str, Any]]:
        """COCO results of a model on the validation part."""
        from nbhelpers.teach.grounding_dino.scores import box_results

        batch, nms = self.settings.detector.batch, self.settings.nms
        return box_results(model, self.loaded.processor, self.val, nms=nms, batch_size=batch)

    def scores(self, model: Any) -> Scores:
        """Box AP and AP50 on the validation part, with intervals."""
        from nbhelpers.teach.grounding_dino.scores import box_scores

        return box_scores(self.val, self.results(model))

    def zero_shot(self) -> Scores:
        """Scores of the model before tuning; kept on disk, so that a resumed training detects them once."""
        path = self.folder / "zero_shot.json"
        kept = read_json(path) if path.exists() else {}
        if kept.get("fingerprint") == self.mark:
            return dict(kept["scores"])
        scores = self.scores(self.loaded.model)
        write_json(path, {"fingerprint": self.mark, "scores": scores})
        return scores


def choose_precision(loaded: "Loaded", wanted: str) -> Precision:
    """The autocast format: "auto" is none on a CPU, elsewhere what the GPU computes fast."""
    from nbhelpers.runtime import choose_dtype

    if wanted != "auto":
        return cast("Precision", wanted)
    if not loaded.device.startswith("cuda"):
        return "no"
    held = str(loaded.dtype).removeprefix("torch.")
    return _AUTOCAST.get(held if held != "float32" else choose_dtype(loaded.device).value, "no")


def refuse_other_classes(train: "CocoSet", val: "CocoSet") -> None:
    """Both parts have to mean the same by a class index.

    Raises:
        BadInput: names the classes that only one of them has.
    """
    if train.class_names != val.class_names:
        odd = sorted(set(train.class_names) ^ set(val.class_names)) or ["the order of their ids"]
        raise BadInput(f"{val.path}: its classes are not those of {train.path}: {', '.join(odd)}")


def in_words(scores: Scores) -> str:
    """One line: "box AP 0.169 (0.145 to 0.204), box AP50 ..."."""
    return ", ".join(
        f"{name.replace('_', ' ').replace('ap', 'AP')} {s['value']:.3f} ({s['low']:.3f} to {s['high']:.3f})"
        for name, s in scores.items()
    )
