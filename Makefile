PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

SECONDS ?= 600

.PHONY: setup demo test test-quick arm test-arm vulkan test-vulkan rknn test-rknn cpp test-cpp cpp-arm test-cpp-arm fuzz mutants ci lint format bench
setup: .venv/.installed ## the environment, with everything pinned
demo: setup ## a seeded checkpoint, exported and verified
	@$(BIN)/python -m converter.network.demo demo/LightTrackM_seeded.pth && $(BIN)/lt-export --arch LightTrackM_Subnet --resume demo/LightTrackM_seeded.pth --output demo/export && ls -l demo/export
test: lint ## all tests but those that need something set up; says what it skips and why
	$(PYTEST) -m "not arm and not vulkan and not rknn and not cpp"
	@echo "left out: tests on an emulated ARM cpu, on a Vulkan device, in the simulator of Rockchip's NPUs and of the C++ tracker: make test-arm, test-vulkan, test-rknn, test-cpp and test-cpp-arm set up and run them"
test-quick: setup ## what fails first, in a minute and a half
	$(PYTEST) -m "(not real or quick) and not cpp" -r fE
arm: setup ## what runs ARM kernels here, into your cache or LT_ARM_ROOT
	@$(BIN)/lt-setup arm
test-arm: arm ## the tests that run on an emulated ARM cpu
	$(PYTEST) -m "arm and not cpp" tests/runtime tests/trained
vulkan: setup ## Mesa's llvmpipe, a Vulkan device on the CPU, into your cache or LT_VULKAN_ROOT
	@$(BIN)/lt-setup vulkan
test-vulkan: vulkan ## the tests that run on a Vulkan device
	$(PYTEST) -m vulkan tests/runtime tests/trained
rknn: setup ## Rockchip's toolkit with a Python of its own, into your cache or LT_RKNN_ROOT
	@$(BIN)/lt-setup rknn
test-rknn: rknn ## the tests that run in its simulator
	$(PYTEST) -m rknn tests/runtime tests/trained
cpp: setup ## ncnn's C++ library, into your cache or LT_CPP_ROOT
	@$(BIN)/lt-setup cpp
test-cpp: cpp ## the tests that compile what lt-cpp writes
	$(PYTEST) -m "cpp and not arm" tests/unit tests/runtime tests/trained
cpp-arm: setup ## a C++ compiler for ARM and ncnn built with it, into your cache or LT_CPP_ARM_ROOT
	@$(BIN)/python tests/support/cross_arm.py
test-cpp-arm: arm cpp cpp-arm ## the tests that run the C++ tracker on an emulated ARM cpu
	$(PYTEST) -m "arm and cpp" tests/runtime tests/trained
fuzz: setup ## changed files of every kind for every parser; make fuzz SECONDS=60
	$(BIN)/python tests/fuzz/run.py --seconds $(SECONDS)
mutants: setup ## the code broken on purpose, and which tests notice
	$(BIN)/python tests/mutants/run.py
ci: test test-arm test-vulkan test-cpp test-cpp-arm test-rknn ## what has to pass
	$(MAKE) fuzz SECONDS=120
lint: setup ## changes nothing
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
format: setup
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .
bench: setup ## the hand-made flow beside lt-export
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]" && $(BIN)/python -m benchmarks.export

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=python3.11')"
	$(PYTHON) -m venv .venv && $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]" && touch $@
