"""Memory while a block runs: bars that move for someone who watches, the same readings for everyone."""

import os
from types import TracebackType
from typing import Any, Self

from nbhelpers.memory.watch import Watch
from nbhelpers.runtime.hardware import Gpu, gpu_status, ram
from nbhelpers.runtime.place import headless, in_jupyter
from nbhelpers.runtime.tables import size_text


def live(interval_s: float = 0.25, *, interactive: bool | None = None) -> "Live":
    """Watch memory during a block and, in a live notebook, show it as bars that move.

    `with memory.live() as seen: work()`; afterwards `seen` has the curve and all readings of a `Watch`.

    Args:
        interval_s: seconds between two readings (above 0).
        interactive: whether to show bars; None: in a live notebook, unless `NBHELPERS_PROGRESS=off`.

    Raises:
        BadInput: `interval_s` is not above 0.
    """
    return Live(interval_s, _someone_watches() if interactive is None else interactive)


def _someone_watches() -> bool:
    return in_jupyter() and not headless() and os.environ.get("NBHELPERS_PROGRESS") != "off"


class Live(Watch):
    """A `Watch` with a panel; `panel` is None where nobody watches."""

    def __init__(self, interval_s: float, interactive: bool) -> None:
        super().__init__(interval_s)
        self.panel: Panel | None = Panel() if interactive else None

    def __enter__(self) -> Self:
        if self.panel is not None:
            self.panel.show()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self.panel is not None:
            self.panel.close(self)

    def _sample(self) -> int:
        used = super()._sample()
        if self.panel is not None:
            self.panel.update(used)
        return used


class Panel:
    """One bar for main memory and one per GPU (ipywidgets); drawn where the cell's output is."""

    def __init__(self) -> None:
        import ipywidgets as widgets

        boards, _ = gpu_status()
        self._bars = [
            self._bar(widgets, name) for name in ("this process", *(board.name for board in boards))
        ]
        self.widget = widgets.VBox([widgets.HBox([bar, text]) for bar, text in self._bars])

    @staticmethod
    def _bar(widgets: Any, name: str) -> tuple[Any, Any]:
        wide = {"description_width": "110px"}
        bar = widgets.FloatProgress(0.0, min=0.0, max=1.0, description=name, style=wide)
        return bar, widgets.Label("")

    def show(self) -> None:
        """Put the panel into the cell's output."""
        from IPython.display import display

        display(self.widget)

    def update(self, process_bytes: int) -> None:
        """Move the bars; `process_bytes` is what this process holds."""
        self._set(0, process_bytes, process_bytes + ram().available_bytes)
        boards: list[Gpu] = gpu_status()[0] if len(self._bars) > 1 else []
        for place, board in enumerate(boards, start=1):
            self._set(place, board.total_bytes - board.free_bytes, board.total_bytes)

    def _set(self, place: int, used_bytes: int, total_bytes: int) -> None:
        bar, text = self._bars[place]
        bar.value = used_bytes / max(1, total_bytes)
        # The last tenth is where systems begin to kill processes.
        bar.bar_style = "danger" if bar.value > 0.9 else "info"
        text.value = f"{size_text(used_bytes)} of {size_text(total_bytes)}"

    def close(self, seen: Watch) -> None:
        """Leave the peak on show."""
        self._bars[0][1].value += f", peak {size_text(seen.peak_bytes)} in {seen.seconds:.0f} s"
