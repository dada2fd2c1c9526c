# `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
URI ?= sqlite:///$(CURDIR)/mlruns/mlflow.db
PORT ?= 5000

.DEFAULT_GOAL := help
.PHONY: help install quickstart test faults bench ui clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

install: $(VENV)/.installed ## create .venv and install what the benchmark needs

quickstart: install ## install, then run a small sweep on the embedded sample data
	$(RUN) -m benchmark -m experiment=quickstart

test: $(VENV)/.installed-dev ## install, then lint, check types and run the tests
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/pytest --numprocesses 2 --dist loadfile
	KERAS_BACKEND=jax $(VENV)/bin/pytest --quiet tests/test_losses.py tests/test_stylize.py

faults: $(VENV)/.installed-dev ## the long tests: 30 kills, long outages, many configurations (an hour)
	$(VENV)/bin/pytest -m faults -rP

bench: install ## measure speed and memory against the usual script (up to an hour; BENCH="--only step")
	$(RUN) -m benchmark.bench $(BENCH)

ui: install ## open the MLflow UI on what was run (PORT=5000, URI=another store)
	@echo "MLflow UI: http://127.0.0.1:$(PORT)   (Ctrl-C ends it)"
	MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
		$(VENV)/bin/mlflow ui --backend-store-uri "$(URI)" --host 127.0.0.1 --port $(PORT) --workers 1

clean: ## remove .venv and caches; keeps mlruns
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.installed
