# Two commands do all set-up: `make run` and `make test`.
PYTHON ?= python3
WORKSPACE ?= workspace
ARGS ?=
VENV := .venv/bin

.PHONY: run test test-long lint types environment screenshots clean

run:
	@command -v $(PYTHON) >/dev/null || { echo "tagmask: $(PYTHON) is missing. On Debian or Ubuntu: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) tools/environment.py user
	@$(VENV)/python app.py --workspace $(WORKSPACE) $(ARGS)

environment:
	@command -v $(PYTHON) >/dev/null || { echo "tagmask: $(PYTHON) is missing. On Debian or Ubuntu: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) tools/environment.py developer

test: environment
	@$(VENV)/python -m pytest -q $(ARGS)

test-long: environment
	@TAGMASK_LONG=1 $(VENV)/python -m pytest -q $(ARGS)

lint: environment
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .

types: environment
	@$(VENV)/mypy

screenshots: environment
	@$(VENV)/python docs/screenshots.py

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
