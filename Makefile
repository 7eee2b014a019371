# Every target makes the environment it needs: python3, make and git are all that has to be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := $(VENV)-demo
PIP := -m pip --disable-pip-version-check --quiet

.PHONY: help env ui demo test check bench soak clean

help:
	@echo "make demo   real data becomes assets: run, subset, failure, resume"
	@echo "make test   the tests"
	@echo "make ui     the web UI, built into the package"
	@echo "make check  format, lint, types, import floors, code lines, tests with coverage"
	@echo "make bench  opgraph beside the loop a careful person would write by hand"
	@echo "make soak   the property and fault tests, many times over"

# Stamped with the file that says what to install, so that nothing is installed twice. Bytecode is made by all cores, and
# of what is no Python file for this version it is left out.
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) install --no-compile --editable '.[all,dev,demo]'
	@$(BIN)/python -m compileall -q -j 0 src $(VENV)/lib >/dev/null || true
	@touch $@

# The demo needs no test tools, so it starts sooner in an environment of its own.
$(DEMO)/installed: pyproject.toml
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python $(PIP) install --editable '.[demo]'
	@touch $@

env: $(VENV)/installed

# Builds the web UI into the package, unless it was built from these sources.
ui: env
	$(BIN)/python tools/build_ui.py

demo: $(DEMO)/installed
	$(DEMO)/bin/python examples/flights/demo.py

test: env ui
	$(BIN)/python -m pytest -n 2

check: env
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python tools/count_lines.py
	$(BIN)/python -m pytest -n 2 --cov --cov-report=term:skip-covered

bench: env
	$(BIN)/python -m benchmarks

soak: env
	OPGRAPH_SOAK=1 $(BIN)/python -m pytest -n 2 -o faulthandler_timeout=3600 tests/properties tests/faults

clean:
	rm -rf $(VENV) $(DEMO) dist .coverage .pytest_cache .ruff_cache .hypothesis
