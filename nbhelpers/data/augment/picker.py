"""Choosing conditions with the mouse, where there is someone to click; parameters decide otherwise."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbhelpers.data.augment.conditions import CHARACTERISTICS, ENVIRONMENT, INTENSITIES, Conditions
from nbhelpers.runtime import headless

if TYPE_CHECKING:
    import ipywidgets


class Picker:
    """The conditions as they stand now; `pick` makes one.

    Attributes:
        conditions: what is chosen.
        box: the widgets; None where nobody watches.
    """

    def __init__(self, conditions: Conditions, on_change: Callable[[Conditions], None] | None = None) -> None:
        self.conditions, self.on_change = conditions, on_change
        self.box: ipywidgets.VBox | None = None

    def build(self) -> "ipywidgets.VBox":
        """A list for the characteristics, a menu for each side of the environment and for the intensity."""
        import ipywidgets as widgets

        menus: dict[str, Any] = {
            "characteristics": widgets.SelectMultiple(
                options=CHARACTERISTICS, value=self.conditions.characteristics, description="objects", rows=9
            )
        }
        for key, values in {**ENVIRONMENT, "intensity": INTENSITIES}.items():
            value = getattr(self.conditions, key)
            menus[key] = widgets.Dropdown(options=values, value=value, description=key)
        for key, menu in menus.items():
            menu.observe(lambda change, key=key: self._changed(key, change["new"]), names="value")
        first, *others = menus.values()
        self.box = widgets.HBox([first, widgets.VBox(others)])
        return self.box

    def _changed(self, key: str, value: Any) -> None:
        self.conditions = replace(self.conditions, **{key: value})
        if self.on_change is not None:
            self.on_change(self.conditions)


def pick(conditions: Conditions, on_change: Callable[[Conditions], None] | None = None) -> Picker:
    """Show menus that start from `conditions`; without an audience nothing is shown and they stay.

    Args:
        conditions: what is chosen at first.
        on_change: called with the new conditions after each click.

    Returns:
        A picker; cells run after a click find the choice in its `conditions`.
    """
    picker = Picker(conditions, on_change)
    if not (headless() or os.environ.get("NBHELPERS_PROGRESS") == "off"):
        from IPython.display import display

        display(picker.build())
    return picker
