PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test lint bench
setup: .venv/.installed ## the environment, with everything pinned
demo: setup ## a seeded checkpoint, exported and verified
	@$(BIN)/python -m converter.demo demo/LightTrackM_seeded.pth && $(BIN)/lt-export --arch LightTrackM_Subnet --resume demo/LightTrackM_seeded.pth --output demo/export && ls -l demo/export
test: setup ## all tests
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/python -m pytest
lint: setup ## format and fix
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .
bench: setup ## the hand-made flow beside lt-export
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]" && $(BIN)/python -m benchmarks.export

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=python3.11')"
	$(PYTHON) -m venv .venv && $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]" && touch $@
