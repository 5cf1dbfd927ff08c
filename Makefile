# Everything a person needs: `make demo` and `make test` do all set-up themselves.
# The first Python that really starts, is new enough and can make environments (shims of other tools may not).
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python3.14; do \
    $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOBS ?= 3

.PHONY: help demo test test-fast soak lint format bench lock clean

help:
	@echo "make demo       the main job on an embedded example: edit, run, prove, open the pull request"
	@echo "make test       all tests (make test-fast: those without kernels, under a minute)"
	@echo "make soak       the thousands of trials that make test runs a share of"
	@echo "make lint       ruff, mypy --strict"
	@echo "make bench      measured against the tools that people would use instead"
	@echo "make lock       make requirements.lock anew from pyproject.toml"

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "nbpr needs Python 3.11 or newer with venv (Debian: apt-get install python3-venv); or make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)
	@$(BIN)/nbpr demo

test: $(READY)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadscope --max-worker-restart 2

test-fast: $(READY)
	@HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest -n 2 --dist worksteal -m "not soak and not kernel and not slow"

soak: $(READY)
	@HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -n $(JOBS) -m "soak or not kernel" --timeout 3600 -o faulthandler_timeout=4000

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(READY)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY)
	@$(BIN)/python benchmarks/bench.py $(BENCH)

# Universal (every platform and Python), with hashes, and without the address of any index.
lock:
	@$(PYTHON) -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip install --quiet uv
	@$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    --extra run --extra s3 --extra demo --group dev pyproject.toml --output-file requirements.lock
	@rm -rf $(VENV)-lock

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
