"""The lines at the top of a notebook: where it runs and what was chosen, each with the reason."""

from nbhelpers.runtime.choice import Choice
from nbhelpers.runtime.place import where
from nbhelpers.runtime.precision import choose_device, choose_dtype
from nbhelpers.runtime.tables import text_table


def banner(
    *,
    profile: Choice | None = None,
    device: Choice | None = None,
    dtype: Choice | None = None,
    **others: Choice | str,
) -> str:
    """Text such as `device   cuda:0   Tesla T4 with 14.7 GiB, the only GPU`, one line per choice.

    Args:
        profile: the settings profile; left out when None.
        device: None chooses one.
        dtype: None chooses one for the device.
        others: further lines by name, such as `model=Choice(...)` or `run="20260401"`.
    """
    place = where()
    device = device or choose_device()
    dtype = dtype or choose_dtype(device.value)
    lines: dict[str, Choice | str] = {"where": Choice(place.kind, place.reason)}
    lines |= {"profile": profile} if profile else {}
    lines |= {"device": device, "dtype": dtype, **others}
    return text_table([_row(name, value) for name, value in lines.items()])


def _row(name: str, value: Choice | str) -> tuple[str, str, str]:
    return (name, value.value, value.reason) if isinstance(value, Choice) else (name, value, "")
