"""Programs nobody has read, run in a child that can do little: system limits, namespaces where allowed."""

from nbhelpers.codegen.contain.limits import Limits
from nbhelpers.codegen.contain.outcome import Isolation, Outcome
from nbhelpers.codegen.contain.run import Contained, isolation_here, run_code, run_contained

__all__ = ["Contained", "Isolation", "Limits", "Outcome", "isolation_here", "run_code", "run_contained"]
