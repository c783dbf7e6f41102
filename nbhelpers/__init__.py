"""Vision-language work that fits one GPU: the package under the nine notebooks.

Floors, from the ground up: `errors`, `runtime`, `settings`, `artifacts`, `plots`; then `metrics` (and later
`models`, `training`); then one room per notebook (`memory`, `data`, `distill`, `export`, ...); on top
`notebooks` and `cli`. Imports only point down. Importing this module loads nothing heavy.
"""

__version__ = "0.1.0"
