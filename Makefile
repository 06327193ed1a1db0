# Everything runs in .venv, which is made here from pyproject.toml and constraints.txt; nothing else has to be there but
# Python 3.11 or newer with pip.
#   make test PYTHON=python3.12                    another Python
#   make test PIP_ARGS="--extra-index-url URL"     another index, for example one with the CPU wheels of torch

PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
EXTRAS ?= pretrained,parquet,hub,dev
# loop over files by two processes; a thread each keeps them from fighting over the cores
JOBS ?= 2

BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := build/demo
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
PYTEST := $(ONE_THREAD) $(BIN)/python -m pytest -q

.DEFAULT_GOAL := help
.PHONY: help install lint format types test test-slow test-gpu quality docs demo clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */make \1|/' | column -t -s '|' 2>/dev/null \
	    || grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST)

install: $(READY)  ## the environment .venv, with the exact versions of constraints.txt

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "tuwen needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | tail -1). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "'$(PYTHON)' cannot make virtual environments: its modules venv and ensurepip are not installed. On Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --upgrade >/dev/null
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet $(PIP_ARGS) -c constraints.txt -e '.[$(EXTRAS)]' || { \
	    echo "The installation into $(VENV) failed; pip's message is above. No network: name a folder of wheels with PIP_ARGS='--no-index --find-links DIR'. Cache not writable or damaged: PIP_ARGS=--no-cache-dir. No space: TMPDIR and PIP_CACHE_DIR can point to another disk. Then the same make again." >&2; exit 2; }
	@touch $(READY)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

format: $(READY)  ## ruff puts the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint types  ## what CI runs: ruff, mypy and the quick tests, in at most 5 minutes on two cores
	$(PYTEST) -n $(JOBS) --dist loadfile -m "not slow and not gpu"

test-slow: $(READY)  ## the slow tests; those on real data where TUWEN_DATA names it
	$(PYTEST) -n $(JOBS) --dist loadfile -m "slow and not gpu"

test-gpu: $(READY)  ## the tests that need a CUDA device
	$(PYTEST) -m gpu

quality: $(READY)  ## the headline numbers against stored intervals, in 10 to 15 minutes; RECORD=1 stores them anew
	$(BIN)/python benchmarks/quality.py $(if $(RECORD),--record)

docs: $(READY)  ## the pages of docs/verbs, from the source of the verbs
	$(BIN)/python docs/generate.py

demo: $(READY)  ## learns a small drawn world, judges it and shows it on a page, in at most 12 minutes after the installation
	$(BIN)/tuwen demo -o $(DEMO)

clean:  ## removes what was built, but not .venv
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
