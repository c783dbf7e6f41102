"""What the twin can do on pictures it has not seen, in the base world and in the shifted one."""

from pathlib import Path

from nbhelpers.data.stills import STICKER_STYLES
from nbhelpers.twins.recipe import Evaluation
from nbhelpers.twins.stills.asked import PICTURES, Asked, judged, load_twin, right_shares

BARS = {"larger": 0.95}
ASKED = (
    Asked("larger", "larger"),
    Asked("larger, held-out wording", "larger", held_out=True),
    Asked("larger, pictures of 224 px", "larger", size=224),
    Asked("larger, shifted world", "larger", world="shifted"),
    *(Asked(f"larger, {style} sticker", "larger", sticker=style) for style in STICKER_STYLES),
    Asked("describe", "describe"),
    Asked("smaller", "smaller"),
    Asked("count", "count"),
)


def evaluate(folder: Path, seed: int, pictures: int = PICTURES) -> Evaluation:
    """Everything the card reports; the bar is that on `larger` in the base world."""
    metrics = right_shares(*load_twin(folder), ASKED, pictures, seed)
    return Evaluation(metrics, judged(metrics, BARS))
