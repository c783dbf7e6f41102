"""A trained model behind HTTP: one model, a bounded queue, uploads that never stay. Importing this is light.

`create_app` gives the FastAPI application around a predictor, `run_server` runs one until it is told to stop.
Each file of `routers/` holds the endpoints of one concern; adding to `routers.ROUTERS` adds to the server.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nbhelpers.serve.limits import Limits

if TYPE_CHECKING:
    from nbhelpers.serve.app import create_app
    from nbhelpers.serve.predictor import Predictor
    from nbhelpers.serve.run import run_server

_HOME = {"create_app": "app", "Predictor": "predictor", "run_server": "run"}

__all__ = ["Limits", "Predictor", "create_app", "run_server"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the modules bring FastAPI and uvicorn."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
