# Every target makes what it needs first; each can be run twice.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The first Python here that is new enough.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

PROFILE ?= auto
DATA ?=
IMAGES ?=
RUN_ID ?= $(if $(DATA),$(basename $(notdir $(DATA))),default)
ARGS ?=
JOBS ?= 2
NBVAL := NBHELPERS_PROGRESS=off NBHELPERS_PROFILE=cpu $(BIN)/python -m pytest --nbval

help: ## list the targets
	@echo "make run                       notebooks on the embedded data set"
	@echo "make run DATA=f.json IMAGES=d  the same on your own COCO file"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Variables: PROFILE=auto|cpu|t4|rtx3090  RUN_ID=name  DATA=  IMAGES=  ARGS='more options of nbhelpers run'  JOBS=processes of make test"

$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "nbhelpers needs Python 3.11 or newer; none was found on PATH"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@command -v uv >/dev/null || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet 'uv>=0.8,<1'
	@uv=$$(command -v uv || echo $(BIN)/uv); echo "installing nbhelpers and its libraries into $(VENV)"; \
		$$uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable '.[dev]'
	@touch $@

setup: $(STAMP) ## make .venv and install everything into it

run: $(STAMP) ## run every notebook headless, end in runs/<id>/index.html
	@$(BIN)/nbhelpers run all --profile $(PROFILE) --run-id $(RUN_ID) \
		$(if $(DATA),--data "$(DATA)") $(if $(IMAGES),--images "$(IMAGES)") $(ARGS)

report: $(STAMP) ## make runs/<id>/index.html again
	@$(BIN)/nbhelpers report $(RUN_ID)

# Two processes of one thread each: models this small gain next to nothing from a second thread.
# `notebooks/conftest.py` says which notebooks go on from another and stay in one process.
test: lint ## lint, package tests, notebook tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder
	OMP_NUM_THREADS=1 $(NBVAL) notebooks --numprocesses $(JOBS) --dist loadscope --no-loadscope-reorder

lint: $(STAMP) ## ruff over package and notebooks, mypy over the package
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: $(STAMP) ## run the notebooks again and keep their outputs in the repository
	$(BIN)/python -m nbhelpers.notebooks.refresh notebooks

wheel: $(STAMP) ## build the wheel that Kaggle notebooks attach as a data set
	@uv=$$(command -v uv || echo $(BIN)/uv); $$uv build --wheel --out-dir dist

clean: ## remove the environment, caches and builds; runs/ is yours and stays
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup run report test lint format notebooks wheel clean
