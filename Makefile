# What people and CI do with this repository. `make` alone lists it.

PYTHON = python3
PORT = 9090
LABEL_STUDIO_PORT = 8080
EXAMPLE = simple_text_classifier
VENV = .venv
BIN = $(VENV)/bin
CLASSIFIER = label_studio_ml/examples/simple_text_classifier
PYTEST = $(BIN)/python -m pytest --durations=20
# Tests that run at the same time. Some measure times: not more than the machine has cores.
JOBS = 2
IN_PARALLEL = -n $(JOBS) --dist loadgroup
# Not modules of their own: scripts that only Alembic runs, templates of `init`, backends of tests (one cannot be
# imported, on purpose). The examples' own tests are run by tests/integration, as a user runs them.
DOCTESTS = --doctest-modules label_studio_ml --ignore=label_studio_ml/scaffold/files \
	--ignore=label_studio_ml/store/migrations --ignore=label_studio_ml/examples --ignore=tests/backends

# pip need not compile what it installs: most of it is never imported.
export PIP_NO_COMPILE = 1

.PHONY: help setup start demo screenshot lint types security docs test test-unit test-integration test-e2e \
	test-examples test-pythons test-floors gallery learning bench soak clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.setup ## Create .venv with everything that development needs

start: $(VENV)/.start my_text_classifier ## Serve the text classifier on port 9090 (PORT=…)
	@exec $(BIN)/label-studio-ml start my_text_classifier --port $(PORT)

demo: $(VENV)/.start ## An example (EXAMPLE=ocr) with a real Label Studio on port 8080 connected to it (LABEL_STUDIO_PORT=…)
	@exec $(BIN)/python -m scripts.demo $(EXAMPLE) --port $(PORT) --label-studio-port $(LABEL_STUDIO_PORT)

screenshot: $(VENV)/.start ## While the demo runs: a picture of its first task in demo/ (needs chromium-driver)
	$(BIN)/python -m scripts.screenshot --label-studio-port $(LABEL_STUDIO_PORT) demo/screenshot.png

lint: setup ## Check style, format and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup ## Check types
	$(BIN)/mypy

security: setup ## Look for careless code (bandit) and for dependencies with known vulnerabilities (pip-audit)
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive label_studio_ml
	$(BIN)/python -m scripts.audit

docs: setup ## Check that the generated pages of docs/ are up to date
	$(BIN)/python -m label_studio_ml.cli.reference --check

test: setup ## Run every test, with a real Label Studio (installed at the first run), and those of the examples
	$(PYTEST) $(IN_PARALLEL) tests $(DOCTESTS)
	$(BIN)/python -m scripts.examples test

test-unit: setup ## Run the unit tests and the examples in docstrings
	$(PYTEST) $(IN_PARALLEL) tests/unit $(DOCTESTS)

test-integration: setup ## Run the tests against our server in processes of its own
	$(PYTEST) $(IN_PARALLEL) tests/integration

test-e2e: setup ## Run the tests with a real Label Studio
	$(PYTEST) tests/e2e

test-examples: setup ## Run the tests of the examples with their models (each group in an environment of its own)
	$(BIN)/python -m scripts.examples test

gallery: setup ## Make the examples' pictures in a real Label Studio, and their page in docs/ (EXAMPLES="ocr llm")
	$(BIN)/python -m scripts.gallery $(EXAMPLES)

learning: setup ## Examples get better in a real Label Studio: score on untouched tasks before and after (EXAMPLES="…")
	@$(BIN)/python -m scripts.learning $(EXAMPLES)

test-pythons: setup ## Run the unit tests on the other Pythons that we support
	$(BIN)/python -m scripts.pythons

test-floors: setup ## Run the unit tests and the recorded requests with the lowest versions that pyproject.toml allows
	$(BIN)/python -m scripts.floors

bench: setup ## Measure, beside other servers (installed at the first run; needs wrk); figures are for reading
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.validation

soak: setup ## Run a server for long, under requests of every kind, and see whether its memory stays flat
	$(BIN)/python -m benchmarks.soak

clean: ## Remove environments, caches, builds and the demo's data; never a backend folder
	rm -rf .venv .venv-3.* .venv-floors .venv-examples .venv-label-studio* demo build dist *.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .grimp_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

my_text_classifier: $(VENV)/.start
	@test -d $@ || $(BIN)/label-studio-ml init $@ --script $(CLASSIFIER)/text_classifier.py

$(VENV)/.start: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e . -r $(CLASSIFIER)/requirements.txt
	@touch $@

$(VENV)/.setup: pyproject.toml $(VENV)/.start
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@
