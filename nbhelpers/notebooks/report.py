"""The page of a run, `runs/<id>/index.html`: one file, readable offline, on a phone and in the dark."""

import base64
import mimetypes
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import read_json, write_atomic
from nbhelpers.errors import BadInput
from nbhelpers.notebooks.failures import HINTS
from nbhelpers.notebooks.places import PHASES
from nbhelpers.notebooks.state import LOCK, read_state

TITLES = {
    "memory": "Machine and memory",
    "data": "Data",
    "codegen": "Code generation",
    "degrade": "Weight degradation",
    "attack": "Adversarial patch",
    "video": "Video tuning",
    "teach": "Teachers",
    "distill": "Student",
    "export": "Export",
}
HERO = ("distill", "teach", "attack", "video", "export", "data")
"""Phases whose first picture may stand at the top of the page, the best one first."""
_ABBREVIATIONS = re.compile(r"\b(ap|ar|iou|onnx|int8|fp16|fp32|cpu|gpu|ram)(?=\d*\b)")
EMBED_BYTES = 200_000
"""Pictures up to this size go into the page itself, so that it can be sent on as one file."""


def write_report(run: Path) -> Path:
    """Write `index.html` of a run from what its phases left.

    Args:
        run: the folder `runs/<id>`.

    Raises:
        BadInput: the folder does not exist or holds no phase.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("nbhelpers.notebooks", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number_text, words=words, size=_size, duration=duration_text)
    html = environment.get_template("report.html.j2").render(gather(run))
    return write_atomic(run / "index.html", html)


def gather(run: Path) -> dict[str, Any]:
    """Everything the page shows, as plain values.

    Raises:
        BadInput: the folder does not exist or holds no phase.
    """
    if not run.is_dir():
        raise BadInput(f"{run}: there is no such run; `nbhelpers run --run-id {run.name}` makes it")
    alive = _alive(run)
    phases = [_phase(run / name, number, alive) for number, name in PHASES.items() if _was_run(run / name)]
    if not phases:
        raise BadInput(f"{run}: no phase of this run has left results yet")
    return {
        "run_id": run.name,
        "phases": phases,
        "state": _overall(phases),
        "started": min((p["started"] for p in phases if p["started"]), default=""),
        "seconds": sum(p["seconds"] for p in phases),
        "peak_bytes": max((p["peak_bytes"] or 0 for p in phases), default=0),
        "profile": next((p["profile"] for p in phases if p["profile"]), ""),
        "reason": next((p["reason"] for p in phases if p["reason"]), ""),
        "device": next((p["device"] for p in phases if p["device"]), ""),
        "checks": sum(len(p["checks"]) for p in phases),
        "hero": _hero(phases),
        "headline": _headline(phases),
        "met": sum(1 for p in phases for check in p["checks"] if check["ok"]),
    }


def _was_run(folder: Path) -> bool:
    return (folder / "results.json").is_file() or read_state(folder) is not None


def _phase(folder: Path, number: str, alive: bool) -> dict[str, Any]:
    path = folder / "results.json"
    results: dict[str, Any] = read_json(path) if path.is_file() else {}
    state = read_state(folder)
    name = state.state if state else results.get("state", "done")
    if name == "running" and not alive:
        name = "interrupted"  # killed: nobody holds the run's lock any more
    memory = results.get("memory") or {}
    return {
        "number": number,
        "name": folder.name,
        "title": TITLES[folder.name],
        "state": name,
        "started": state.started if state else "",
        "seconds": state.seconds if state and state.seconds else results.get("seconds", 0),
        "peak_bytes": memory.get("measured_peak_bytes"),
        "predicted_bytes": memory.get("predicted_bytes"),
        "failure": _failure(results, name),
        "figures": sorted(
            (_figure(folder, item) for item in results.get("figures", [])),
            key=lambda figure: figure["kind"] != "picture",
        ),
        "artifacts": list(_artifacts(folder, results.get("artifacts", {}))),
        "notebook": _notebook(folder),
        "settings": flatten(results.get("settings") or {}),
        **{key: results.get(key) or {} for key in ("metrics", "versions")},
        **{key: results.get(key) or "" for key in ("profile", "reason", "device", "dtype", "model")},
        "checks": results.get("checks", []),
    }


def _failure(results: Mapping[str, Any], state: str) -> dict[str, Any] | None:
    if state == "interrupted":
        return {
            "kind": "interrupted",
            "cell": None,
            "cause": "stopped before its end",
            "hint": HINTS["interrupted"],
        }
    return results.get("failure") if state == "failed" else None


def _overall(phases: Iterable[Mapping[str, Any]]) -> str:
    states = [phase["state"] for phase in phases]
    return next((word for word in ("running", "failed", "interrupted") if word in states), "done")


def _hero(phases: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The picture at the top of the page, or None where no phase left one."""
    pictures = {phase["name"]: [f for f in phase["figures"] if f["kind"] == "picture"] for phase in phases}
    return next((pictures[name][0] for name in HERO if pictures.get(name)), None)


def _headline(phases: Iterable[Mapping[str, Any]], most: int = 4) -> list[dict[str, Any]]:
    """The numbers at the top: those measured with an interval, of the last phases first."""
    found = [
        {"name": name, "phase": phase["name"], **metric}
        for phase in reversed(list(phases))
        for name, metric in phase["metrics"].items()
        if metric["low"] is not None and metric["high"] is not None
    ]
    return found[:most]


def _figure(folder: Path, item: Mapping[str, str]) -> dict[str, str]:
    path = folder / item["file"]
    link = source = f"{folder.name}/{item['file']}"
    if path.is_file() and path.stat().st_size <= EMBED_BYTES:
        media = mimetypes.guess_type(path.name)[0] or "image/png"
        source = f"data:{media};base64,{base64.b64encode(path.read_bytes()).decode()}"
    return {"source": source, "link": link, "caption": item["caption"], "kind": figure_kind(path)}


def figure_kind(path: Path) -> str:
    """How a figure is laid out: "picture" (large), "chart" (two beside each other) or "wide".

    Charts are mostly white; pictures are not. A chart of more than 900 pixels has several panels.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            width = image.width
            pixels = image.convert("L").resize((64, 64)).tobytes()
    except OSError:  # gone or cut short: the page still names it
        return "wide"
    if sum(value > 245 for value in pixels) < 0.4 * len(pixels):
        return "picture"
    return "chart" if width <= 900 else "wide"


def _artifacts(folder: Path, artifacts: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    for name, left in artifacts.items():
        path = folder / left
        files = (
            [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path] if path.is_file() else []
        )
        yield {
            "name": name,
            "link": f"{folder.name}/{left}",
            "file": Path(left).name,
            "bytes": sum(p.stat().st_size for p in files),
            "files": len(files) if path.is_dir() else 0,
            "there": path.exists(),
        }


def _notebook(folder: Path) -> dict[str, str]:
    """Links to the executed notebook and to its page; empty strings where there is none."""
    found = next(iter(sorted(folder.glob("[0-9][0-9]_*.ipynb"))), None)
    page = found.with_suffix(".html") if found else None
    return {
        "ipynb": f"{folder.name}/{found.name}" if found else "",
        "html": f"{folder.name}/{page.name}" if page and page.is_file() else "",
    }


def _alive(run: Path) -> bool:
    """Whether a process works on the run now."""
    from filelock import FileLock, Timeout

    if not (run / LOCK).is_file():
        return False
    try:
        with FileLock(run / LOCK, timeout=0):
            return False
    except Timeout:
        return True


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level with dotted names."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def number_text(value: Any, unit: str = "") -> str:
    """A value for people: four digits, grouped thousands; bytes in their binary units."""
    if value is None:
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(number_text(item) for item in value)
    if not isinstance(value, int | float):
        return {"True": "yes", "False": "no"}.get(str(value), str(value))
    if unit in {"bytes", "B"}:
        return _size(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", "\u202f")  # narrow space: no decimal mark in any language
    return f"{value:.4g}"


def words(name: str) -> str:
    """A recorded name for people: `mask_ap50` reads `mask AP50`."""
    return _ABBREVIATIONS.sub(lambda found: found[0].upper(), name.replace("_", " "))


def duration_text(seconds: float) -> str:
    """Seconds for people: `8.2 s`, `1 min 05 s`, `1 h 02 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _size(count: float | None) -> str:
    from nbhelpers.runtime import size_text

    return size_text(count) if count else "n/a"
