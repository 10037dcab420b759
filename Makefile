# Every target sets up its own virtual environment in .venv; Python ≥ 3.11 and make are enough.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
CONSTRAINTS ?= .ci/constraints.txt
BIN := .venv/bin
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help demo table test slow lint check reference docs bench gpu faults fuzz clean

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s  %s\n", $$1, $$2}' Makefile

$(READY): setup.cfg pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --editable '.[dev]'
	@touch $@

demo: $(READY)  ## Check the shipped demo zoo, offline: hashes, counts, accuracy, verdicts
	$(BIN)/vanbench verify --all --zoo demo --results results

table: $(READY)  ## Regenerate the Results table of the README from results/
	$(BIN)/vanbench table --write README.md

test: $(READY)  ## Run the tests (about four minutes)
	$(BIN)/python -m pytest -n 2

slow: $(READY)  ## Run the slow tests too
	$(BIN)/python -m pytest -n 2 -m "not gpu"

lint: $(READY)  ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint  ## Lint, audit results/, and whether every generated file is up to date
	$(BIN)/vanbench audit
	$(BIN)/vanbench table --check README.md
	$(BIN)/python tools/write_cli_reference.py check
	$(BIN)/python tools/write_schemas.py check
	$(BIN)/python tools/write_torchvision_zoo.py check

reference: $(READY)  ## Generate docs/cli.md, docs/json.md, the schemas and a zoo again
	$(BIN)/python tools/write_cli_reference.py write
	$(BIN)/python tools/write_schemas.py write
	$(BIN)/python tools/write_torchvision_zoo.py write

docs: $(READY)  ## Build the documentation as a site: build/site/index.html
	$(BIN)/mkdocs build --quiet --config-file .mkdocs.yml

bench: $(READY)  ## Measure the project's own speed and print ratios
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.figures
	$(BIN)/python -m benchmarks.scaling

gpu: $(READY)  ## On a machine with a CUDA GPU: run its tests, and measure its speed
	$(BIN)/python -m pytest -m gpu
	$(BIN)/python -m benchmarks.gpu

faults: $(READY)  ## Download from a hostile server in hundreds of ways and print the tally
	$(BIN)/python -m pytest tests/download/test_faults.py tests/download/test_deadline.py -m "" -s

fuzz: $(READY)  ## Read 10,000 damaged files of every kind in bounded processes and print the tally
	$(BIN)/python -m tests.fuzz

clean:  ## Remove the virtual environment and caches
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
