# Each target does all of its own set-up, in .venv. Python 3.11 or newer, make and pip are enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo
DIST ?= dist
SITE ?= site
KERNELS := core/hatch_build.py $(wildcard core/calozoo_core/kernels/*.[ch])

.PHONY: demo test coverage test-slow lint typecheck benchmark leaderboard docs build clean

# What a user installs: no tools for tests, training or typing.
$(VENV)/user: pyproject.toml core/pyproject.toml plugins/caloclouds3/pyproject.toml constraints.txt $(KERNELS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		-e "core[plot]" -e . -e plugins/toy -e plugins/caloclouds3
	touch $@

$(VENV)/dev: pyproject.toml core/pyproject.toml plugins/*/pyproject.toml requirements-dev.txt constraints.txt $(KERNELS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@ $(VENV)/user

# What makes distributions: nothing of what is in them.
$(VENV)/build: core/pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check build hatchling setuptools
	touch $@

demo: $(VENV)/user  ## Pull a model, generate 100 showers, look at them.
	mkdir -p $(OUT)
	$(BIN)/calozoo pull caloclouds3
	$(BIN)/calozoo generate --model caloclouds3 --energy 50 --dir 0,0 -n 100 --out $(OUT)/showers.h5 --overwrite
	$(BIN)/calozoo show $(OUT)/showers.h5 --plot $(OUT)/showers.png

# One process a core, of one thread each; a test file in one of them: most fixtures belong to a file.
# The tests start hundreds of processes: each would compile all modules where bytecode is not kept.
test: $(VENV)/dev  ## Every test that takes seconds.
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile $(PYTEST_ARGS)

coverage: $(VENV)/dev  ## The same tests, and the lines of core and registry that they run.
	$(MAKE) test PYTEST_ARGS="--cov --cov-report=term $(PYTEST_ARGS)"

test-slow: $(VENV)/dev  ## Those that take minutes.
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/dev
	$(BIN)/mypy

benchmark: $(VENV)/dev  ## How good, how fast and how big caloclouds3 is, measured here in minutes.
	$(BIN)/calozoo benchmark caloclouds3 --quick --work $(OUT)/work --out $(OUT)/cards

leaderboard: $(VENV)/dev  ## What is made of the cards: the page in docs/ and the picture of the README.
	$(BIN)/calozoo compare --markdown > docs/leaderboard.md
	$(BIN)/calozoo compare --plot docs/images/speed_fidelity.png

docs: $(VENV)/dev  ## The documentation site, in site/; a warning is an error.
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --site-dir $(SITE)

build: $(VENV)/build  ## Each distribution's sdist, and the wheel built from that, into dist/.
	rm -f $(DIST)/calozoo*.tar.gz $(DIST)/calozoo*.whl
	set -e; for project in core . $(sort $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))); do \
		$(BIN)/python -m build --no-isolation --outdir $(DIST) $$project; \
	done

clean:
	rm -rf $(VENV) $(OUT) $(DIST) $(SITE) runs
