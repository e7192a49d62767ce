PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test arm test-arm lint bench
setup: .venv/.installed ## the environment, with everything pinned
demo: setup ## a seeded checkpoint, exported and verified
	@$(BIN)/python -m converter.demo demo/LightTrackM_seeded.pth && $(BIN)/lt-export --arch LightTrackM_Subnet --resume demo/LightTrackM_seeded.pth --output demo/export && ls -l demo/export
test: setup ## all tests
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/python -m pytest
arm: setup ## what runs ARM kernels here, into your cache or LT_ARM_ROOT
	@$(BIN)/lt-verify --setup-arm
test-arm: arm ## the tests that run on an emulated ARM cpu
	$(BIN)/python -m pytest tests/real/test_arm.py
lint: setup ## format and fix
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .
bench: setup ## the hand-made flow beside lt-export
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]" && $(BIN)/python -m benchmarks.export

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=python3.11')"
	$(PYTHON) -m venv .venv && $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]" && touch $@
