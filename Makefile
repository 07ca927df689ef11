# Two commands do everything on a fresh machine: `make grade` and `make test`. Both set up first what is missing.
.PHONY: help setup grade course test pytest lint types soak release notebook-figures calibrate clean system

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAMPLES := build/submitted
export PATH := $(CURDIR)/$(BIN):$(PATH)

help:
	@echo "make grade      grade the sample submissions on Fashion-MNIST and show their reports"
	@echo "make test       lint, types and tests"
	@echo "make soak       what takes longer than make test"
	@echo "make course     make this folder an nbgrader course: its gradebook, for autograde, formgrader and the rest"
	@echo "make release    release/ from source/, and proof that it is right"
	@echo "make calibrate  measure the accuracy thresholds again (more than an hour)"

setup: $(VENV)/installed system

# Torch first and alone: its range decides the rest, and a machine may keep wheels of it.
$(VENV)/installed: pyproject.toml | system
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "torch>=2.9" "torchvision>=0.24"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

system:
	@sh tools/apt.sh apt.txt

grade: setup
	$(BIN)/python -m tests.submissions $(SAMPLES)
	$(BIN)/splot grade $(SAMPLES) --out build/graded

course: setup
	$(BIN)/nbgrader generate_assignment cnn --force

test: setup lint
	$(MAKE) --no-print-directory -j 2 types pytest

# Half of the time a test waits for a limit, a kernel or a browser: three at work keep two cores busy.
pytest: setup
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not soak"

lint: setup
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .

types: setup
	$(BIN)/mypy

soak: setup
	$(BIN)/python -m pytest -n 2 -m soak

release: setup
	$(BIN)/splot release

calibrate: setup
	$(BIN)/splot calibrate

clean:
	rm -rf build .mypy_cache .pytest_cache .ruff_cache .hypothesis
