"""Which model becomes a teacher: the profile's models from the largest down, or the one that was named."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.memory.shapes import Shapes

if TYPE_CHECKING:
    from nbhelpers.models import Loaded
    from nbhelpers.settings import LoraSettings

# What a prompt takes: words, a full stop after each class, [CLS] and [SEP]. Tokenizers part rare words.
_TOKENS_PER_WORD, _ENDS, _MOST = 2, 2, 256


def step_shapes(purpose: str, name: str, settings: "LoraSettings", class_names: Sequence[str]) -> Shapes:
    """The size of one training step of a model, for the dry run that decides whether it fits.

    Args:
        purpose: `detector` or `segmenter`.
        name: of the model.
        settings: its batch is used.
        class_names: the detector's prompt.
    """
    if purpose == "segmenter":
        return Shapes(batch=settings.batch, images=1)
    words = sum(len(name.replace("_", " ").split()) for name in class_names)
    tokens = _ENDS + len(class_names) + _TOKENS_PER_WORD * words
    return Shapes(settings.batch, images=1, size=_picture_side(name), text_tokens=min(_MOST, tokens))


def _picture_side(name: str) -> int:
    """Side of a square with as many pixels as the detector's pictures have: dry runs know squares only.

    Where the processor's file is at hand it says how large they are; else the published models' 800 x 1333.
    """
    from nbhelpers.artifacts import read_json
    from nbhelpers.teach.grounding_dino.footprint import LONG_PX, SHORT_PX, square_side

    for file in _processor_files(name):
        content: dict[str, Any] = read_json(file)
        size = content.get("image_processor", content).get("size", {})
        if {"shortest_edge", "longest_edge"} <= size.keys():
            return square_side(size["shortest_edge"], size["longest_edge"])
    return square_side(SHORT_PX, LONG_PX)


def _processor_files(name: str) -> list[Path]:
    from nbhelpers.models import twin_folder

    given = Path(name).expanduser()
    folder = twin_folder(name) if name.startswith("tiny/") and not given.is_dir() else given
    files = [folder / "processor_config.json", folder / "preprocessor_config.json"]
    return [file for file in files if file.is_file()]


def load_teacher(
    purpose: str,
    settings: "LoraSettings",
    class_names: Sequence[str],
    *,
    profile: str,
    device: str = "auto",
    say: Callable[[str], None] = print,
) -> "Loaded":
    """Load the first candidate that is reachable and whose training step fits; say of each why or why not.

    Args:
        purpose: `detector` or `segmenter`.
        settings: of this teacher.
        class_names: what the detector is asked for.
        profile: built-in profile whose models are meant: cpu, t4 or rtx3090.
        device: as `runtime.choose_device` takes it.
        say: takes the lines meant for people, one per candidate.

    Raises:
        NothingFits: no candidate could be taken; says of each why.
    """
    from nbhelpers.models import chain, load_first

    def options(name: str) -> dict[str, Any]:  # a twin's pictures are smaller
        return {"task": "tune", "device": device, "shapes": step_shapes(purpose, name, settings, class_names)}

    return load_first(chain(purpose, profile, settings.model), options, say=say, label=purpose)
