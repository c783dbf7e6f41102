"""Notebook 03: a request in words becomes a program that is checked by running it.

Importing this is light: names are brought when first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.codegen.bench import Measured, benchmark
    from nbhelpers.codegen.checks import QUICK, STEPS, Ladder, Step, check_project
    from nbhelpers.codegen.contain import Isolation, Limits, isolation_here, run_code, run_contained
    from nbhelpers.codegen.human_eval import judge, pass_at_k, read_problems, read_samples, write_results
    from nbhelpers.codegen.local import LocalWriter
    from nbhelpers.codegen.parse import Understood, parse_request
    from nbhelpers.codegen.project import Project, read_project
    from nbhelpers.codegen.quality import Quality, measure_quality
    from nbhelpers.codegen.report import read_report, write_report
    from nbhelpers.codegen.request import FRAMEWORKS, CodeRequest, Entity, Field
    from nbhelpers.codegen.rungs import (
        Attempt,
        Generation,
        checked,
        generate,
        limits_of,
        make_writers,
        write_once,
    )
    from nbhelpers.codegen.templates import render
    from nbhelpers.codegen.writers import Identity, Left, TemplateWriter, Writer, Written

_HOME = {
    "bench": ("Measured", "benchmark"),
    "checks": ("QUICK", "STEPS", "Ladder", "Step", "check_project"),
    "contain": ("Isolation", "Limits", "isolation_here", "run_code", "run_contained"),
    "rungs": ("Attempt", "Generation", "checked", "generate", "limits_of", "make_writers", "write_once"),
    "human_eval": ("judge", "pass_at_k", "read_problems", "read_samples", "write_results"),
    "local": ("LocalWriter",),
    "parse": ("Understood", "parse_request"),
    "project": ("Project", "read_project"),
    "quality": ("Quality", "measure_quality"),
    "report": ("read_report", "write_report"),
    "request": ("FRAMEWORKS", "CodeRequest", "Entity", "Field"),
    "templates": ("render",),
    "writers": ("Identity", "Left", "TemplateWriter", "Writer", "Written"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Attempt",
    "CodeRequest",
    "Entity",
    "FRAMEWORKS",
    "Field",
    "Generation",
    "Identity",
    "Isolation",
    "Ladder",
    "Left",
    "Limits",
    "LocalWriter",
    "Measured",
    "Project",
    "QUICK",
    "Quality",
    "STEPS",
    "Step",
    "TemplateWriter",
    "Understood",
    "Writer",
    "Written",
    "benchmark",
    "check_project",
    "checked",
    "generate",
    "isolation_here",
    "judge",
    "limits_of",
    "make_writers",
    "measure_quality",
    "parse_request",
    "pass_at_k",
    "read_problems",
    "read_project",
    "read_report",
    "read_samples",
    "render",
    "run_code",
    "run_contained",
    "write_report",
    "write_once",
    "write_results",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)
    globals()[name] = value
    return value
