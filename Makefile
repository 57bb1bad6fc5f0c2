# Two commands need nothing but python3 (3.11 or newer), git and make:
#   make demo    a tour of the ledger, in a folder that is thrown away
#   make test    the whole suite
# PYTHON=python3.12 chooses the interpreter; PYTEST_ARGS="-k merge" reaches pytest, in place of two processes.

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?= -n 2
BIN := $(VENV)/bin
# Real agents, for the tests in tests/agents: never inside the repository.
AGENTS ?= $(or $(LEDGER_AGENTS),$(HOME)/.cache/context-ledger/agents)
AGENT_VERSIONS := @openai/codex@0.169.0 @google/gemini-cli@0.61.0 opencode-ai@1.18.33
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test torture check lint types floors coverage bench agents constraints clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: $(READY)  ## a tour of the ledger, in a folder that is thrown away
	$(BIN)/ledger demo

test: $(READY)  ## run the suite
	$(BIN)/pytest $(PYTEST_ARGS)

torture: $(READY)  ## run the sweeps that take minutes: a kill at every call of the system, and the like
	$(BIN)/pytest -m slow $(PYTEST_ARGS)

check: lint types floors coverage  ## all that must hold before a change is merged

lint: $(READY)  ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## types, strictly
	$(BIN)/mypy

floors: $(READY)  ## which module may import which
	$(BIN)/lint-imports --no-logo

# A process that forks where it is at work would leave what it measured there, but for the absolute path.
coverage: $(READY)  ## run the suite and name every module with too few lines covered
	COVERAGE_FILE=$(CURDIR)/.coverage $(BIN)/pytest --cov --cov-report= $(PYTEST_ARGS)
	$(BIN)/coverage json --quiet -o .coverage.json
	$(BIN)/python tools/coverage_floor.py .coverage.json

bench: $(READY)  ## run every benchmark in benchmarks/
	@for script in $(sort $(wildcard benchmarks/[a-z]*.py)); do \
		echo "== $$script"; $(BIN)/python $$script || exit 1; done

agents: $(READY)  ## install Codex, Gemini CLI and OpenCode (npm, 900 MB) and test against them
	npm install --prefix $(AGENTS) --no-audit --no-fund --loglevel=error $(AGENT_VERSIONS)
	LEDGER_AGENTS=$(AGENTS) $(BIN)/pytest tests/agents

constraints: $(READY)  ## write constraints.txt anew from what is installed
	$(BIN)/python tools/constraints.py constraints.txt

clean:  ## remove all that these commands made
	rm -rf $(VENV) .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache \
		.ruff_cache build dist htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'error: $(PYTHON) is missing or older than 3.11; choose another: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo 'error: $(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,dev]'
	@touch $@
