# Two commands need nothing else first: `make report` and `make test`.
# They set up a local .venv with the pinned versions of constraints.txt.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: report test lab lint bench pictures environment clean

report: $(VENV)/.report-ready
	$(BIN)/earnings-study report META 2024-10-30

# Two workers share the cores; linear algebra with threads of its own would only get in their way.
test: $(VENV)/.test-ready
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lab: $(VENV)/.lab-ready
	$(BIN)/jupyter lab notebooks

lint: $(VENV)/.lint-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Writes benchmarks/RESULTS.md; wants a quiet machine and about ten minutes.
bench: $(VENV)/.bench-ready
	$(BIN)/python -m benchmarks

# Takes the pictures of README.md anew; needs Chromium and about a minute.
pictures: $(VENV)/.report-ready
	$(BIN)/python .ci/pictures.py

# environment.yml is derived from pyproject.toml; a test fails when they drift apart.
environment: $(VENV)/.report-ready
	$(BIN)/python .ci/environment_yml.py > environment.yml

clean:
	rm -rf $(VENV) .venv-pandas2 .axe build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; call make with PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.report-ready: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.test-ready: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.report-ready

$(VENV)/.lab-ready: $(VENV)/.report-ready
	$(PIP) --editable '.[lab]'
	@touch $@

$(VENV)/.bench-ready: $(VENV)/.report-ready
	$(PIP) --editable '.[bench]'
	@touch $@

$(VENV)/.lint-ready: $(VENV)/.report-ready
	$(PIP) --editable '.[lint]'
	@touch $@
