"""The patch explorer: move, enlarge and turn a patch, and see what the model answers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.attack.laying import Lay, Question, laid
from nbhelpers.attack.patch import read_png
from nbhelpers.attack.pictures import Pixels
from nbhelpers.attack.victim import Victim

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN_PX = 320


def placed(
    question: Question,
    patch: Path,
    lay: Lay,
    x: float,
    y: float,
    scale: float,
    turn_deg: float,
) -> Pixels:
    """One picture with the patch at a stated place.

    Args:
        question: its picture is taken.
        patch: its PNG.
        lay: share, count and side.
        x: 0 as far left as the patch fits, 1 as far right.
        y: the same downwards.
        scale: factor on its side.
        turn_deg: clockwise.
    """
    ranges = lay.ranges.at(place=(x, y), scale=(scale, scale), rotation_deg=(turn_deg, turn_deg))
    return laid([question], *read_png(patch), replace(lay, ranges=ranges))[0]


def static_grid(
    victim: Victim,
    question: Question,
    patch: Path,
    lay: Lay,
    places: Sequence[tuple[float, float, float, float]],
    width_in: float = 9.0,
) -> "Figure":
    """What the explorer shows at stated places, for a page that nobody can click on.

    Args:
        victim: is asked the question's prompt about each picture.
        question: picture and prompt.
        patch: its PNG.
        lay: share, count and side.
        places: (x, y, scale, turn in degrees) each.
        width_in: inches.
    """
    from nbhelpers.plots import grid

    shown = [placed(question, patch, lay, *place) for place in places]
    said = victim.answers(shown, [question.prompt.text] * len(shown), label="asking")
    titles = [
        f"{text}\nsize {scale:g}, turn {turn:g}°"
        for text, (_, _, scale, turn) in zip(said, places, strict=True)
    ]
    return grid(shown, titles, columns=4, width_in=width_in)


def explorer(victim: Victim, questions: Sequence[Question], patch: Path, lay: Lay) -> Any:
    """Sliders for place, scale and turn beside the picture and the model's answer; an ipywidgets box.

    Args:
        victim: is asked at every change, when a slider is let go.
        questions: pictures to choose from, each with its question.
        patch: its PNG.
        lay: share, count and side.
    """
    import ipywidgets as widgets

    names = {f"{number}: {one.prompt.text}": one for number, one in enumerate(questions)}
    which = widgets.Dropdown(options=list(names), description="picture")
    sliders = {
        "x": _slider("left-right", 0.5, 0, 1),
        "y": _slider("up-down", 0.5, 0, 1),
        "scale": _slider("size", 1.0, 0.4, 1.6),
        "turn_deg": _slider("turn", 0.0, -180, 180, 5),
    }
    image, said = widgets.Image(format="png", width=_SHOWN_PX), widgets.HTML()

    def show(_: Any = None) -> None:
        one = names[which.value]
        values = {name: slider.value for name, slider in sliders.items()}
        shown = placed(one, patch, lay, **values)
        answer = victim.answers([shown], [one.prompt.text])[0]
        image.value = _png(shown)
        right = f" (right: {_safe(one.right)})" if one.right else ""
        said.value = f"<b>{_safe(answer)}</b>{right}"

    for control in (which, *sliders.values()):
        control.observe(show, "value")
    show()
    return widgets.HBox([widgets.VBox([which, *sliders.values(), said]), image])


def _slider(name: str, value: float, low: float, high: float, step: float = 0.05) -> Any:
    import ipywidgets as widgets

    return widgets.FloatSlider(value, min=low, max=high, step=step, description=name, continuous_update=False)


def _safe(text: str) -> str:
    from html import escape

    return escape(text)


def _png(shown: Pixels) -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    large = Image.fromarray(shown).resize((_SHOWN_PX, _SHOWN_PX), Image.Resampling.NEAREST)
    large.save(buffer, "PNG")
    return buffer.getvalue()
