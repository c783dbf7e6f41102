"""Models: families, catalogue, loading that fits, LoRA by role, snapshots. Importing this brings no torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Not left to `__getattr__`: the function `catalog` would then give way to the module of the same name.
from nbhelpers.models.catalog import Entry, catalog, chain, find_entry, full_config

if TYPE_CHECKING:
    from nbhelpers.models.adapter_check import tensor_digests, verify_only_adapter_changed
    from nbhelpers.models.adapters import (
        AdapterRecord,
        load_adapter,
        merge_adapter,
        read_adapter,
        save_adapter,
    )
    from nbhelpers.models.comparing import Compared, compare_step, compare_steps
    from nbhelpers.models.families import FAMILIES, Family, family_of
    from nbhelpers.models.first import load_first
    from nbhelpers.models.fitting import RTX3090, T4, Fit, Target, fits_table, plan
    from nbhelpers.models.forecasting import PURPOSES, Purpose, forecast, forecasts, this_machine
    from nbhelpers.models.hub import hub_unreachable
    from nbhelpers.models.lent import as_it_was
    from nbhelpers.models.loaded import Loaded
    from nbhelpers.models.loading import load
    from nbhelpers.models.lora import LoraReport, add_lora, lora_modules, lora_roles
    from nbhelpers.models.places import twin_folder, twins_root
    from nbhelpers.models.roles import count_roles, expand_roles, role_of, roles_of, select, tied
    from nbhelpers.models.rungs import NothingFits, Rung, rungs_table
    from nbhelpers.models.snapshot import Snapshot
    from nbhelpers.models.wrapping import freeze_batch_norm

_HOME = {
    "FAMILIES": "families",
    "Family": "families",
    "family_of": "families",
    "role_of": "roles",
    "roles_of": "roles",
    "count_roles": "roles",
    "expand_roles": "roles",
    "select": "roles",
    "tied": "roles",
    "LoraReport": "lora",
    "add_lora": "lora",
    "lora_modules": "lora",
    "lora_roles": "lora",
    "tensor_digests": "adapter_check",
    "verify_only_adapter_changed": "adapter_check",
    "freeze_batch_norm": "wrapping",
    "as_it_was": "lent",
    "twin_folder": "places",
    "twins_root": "places",
    "load": "loading",
    "load_first": "first",
    "Loaded": "loaded",
    "NothingFits": "rungs",
    "Rung": "rungs",
    "rungs_table": "rungs",
    "hub_unreachable": "hub",
    "AdapterRecord": "adapters",
    "load_adapter": "adapters",
    "merge_adapter": "adapters",
    "read_adapter": "adapters",
    "save_adapter": "adapters",
    "Snapshot": "snapshot",
    "Fit": "fitting",
    "Target": "fitting",
    "T4": "fitting",
    "RTX3090": "fitting",
    "fits_table": "fitting",
    "plan": "fitting",
    "PURPOSES": "forecasting",
    "Purpose": "forecasting",
    "forecast": "forecasting",
    "forecasts": "forecasting",
    "this_machine": "forecasting",
    "compare_steps": "comparing",
    "compare_step": "comparing",
    "Compared": "comparing",
}

__all__ = [
    "FAMILIES",
    "Family",
    "family_of",
    "Entry",
    "catalog",
    "chain",
    "find_entry",
    "full_config",
    "role_of",
    "roles_of",
    "count_roles",
    "expand_roles",
    "select",
    "tied",
    "LoraReport",
    "add_lora",
    "lora_modules",
    "lora_roles",
    "tensor_digests",
    "verify_only_adapter_changed",
    "freeze_batch_norm",
    "as_it_was",
    "twin_folder",
    "twins_root",
    "load",
    "load_first",
    "Loaded",
    "NothingFits",
    "Rung",
    "rungs_table",
    "hub_unreachable",
    "AdapterRecord",
    "load_adapter",
    "merge_adapter",
    "read_adapter",
    "save_adapter",
    "Snapshot",
    "Fit",
    "Target",
    "T4",
    "RTX3090",
    "fits_table",
    "plan",
    "PURPOSES",
    "Purpose",
    "forecast",
    "forecasts",
    "this_machine",
    "compare_steps",
    "compare_step",
    "Compared",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the modules below bring torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
