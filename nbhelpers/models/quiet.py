"""Bars of the libraries below us: shown to people, kept out of logs and executed notebooks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from nbhelpers.runtime import headless


@contextmanager
def quiet_when_headless() -> Iterator[None]:
    """Silence the bars of transformers and huggingface_hub where nobody watches; set back afterwards."""
    from huggingface_hub import utils as hub
    from transformers.utils import logging as reporting

    quiet = headless() or os.environ.get("NBHELPERS_PROGRESS") == "off"
    loading = reporting.is_progress_bar_enabled()
    fetching = not hub.are_progress_bars_disabled()  # type: ignore[attr-defined]
    if quiet and loading:
        reporting.disable_progress_bar()  # it also silences huggingface_hub
    if quiet and fetching:
        hub.disable_progress_bars()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        if quiet and loading:
            reporting.enable_progress_bar()
        if quiet and fetching:
            hub.enable_progress_bars()  # type: ignore[attr-defined]
