"""Time stamps made to go forward."""

import numpy as np

_AHEAD = 3  # stamps looked at to tell a slip from a new start


def mend_ticks(ticks: np.ndarray, usual: float) -> tuple[np.ndarray, int]:
    """Make time stamps ascend, changing as few of them as possible.

    A stamp that is missing, goes back or leaps ahead while those after it go on as before is a slip: it is
    set evenly between its neighbours. Where they do not come back, the clock was set anew: all that follow
    are moved so that they go on at the usual step.

    Args:
        ticks: (N,) float64 in the order frames are shown; NaN where there is none.
        usual: ticks between two frames.

    Returns:
        (N,) float64 ascending from 0, and how many places were mended.
    """
    out = np.full(len(ticks), np.nan)
    offset, last, mended = 0.0, -1, 0  # `last`: the last frame whose time is settled
    for k in range(len(ticks)):
        value, ahead = ticks[k] + offset, ticks[k + 1 : k + 1 + _AHEAD] + offset
        if np.isnan(value):
            continue
        if last < 0:
            offset -= value - usual * k
            value = usual * k
        elif value <= out[last]:
            if (ahead > out[last]).any():
                continue
            fresh = out[last] + usual * (k - last)
            offset, value, mended = offset + fresh - value, fresh, mended + 1
        elif len(ahead) and ((ahead > out[last]) & (ahead < value)).all():
            continue
        out[k], last = value, k
    return _filled(out, usual), mended + int(np.isnan(out).sum())


def _filled(out: np.ndarray, usual: float) -> np.ndarray:
    """Frames without a time set evenly between those that have one, outside them at the usual step."""
    known = np.flatnonzero(~np.isnan(out))
    if not len(known):
        return usual * np.arange(len(out))
    filled = np.interp(np.arange(len(out)), known, out[known])
    after = np.arange(known[-1] + 1, len(out))
    filled[after] = out[known[-1]] + usual * (after - known[-1])
    before = np.arange(known[0])
    filled[before] = out[known[0]] - usual * (known[0] - before)
    return filled - filled[0]
