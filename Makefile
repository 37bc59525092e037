# `make` alone lists what can be done. tools/setup_env.py makes the environment once and keeps it up to date.
PYTHON := $(shell command -v python3 || command -v python)
MISSING = $(error c360: Python 3.11 or newer is needed and none was found: install it, then run the same command again)
ENV ?= .venv
# Solutions are executed and compared with what is stored, outputs and all (solutions/sanitize.cfg says what may differ).
NBVAL = --nbval --nbval-current-env --nbval-cell-timeout 120 --nbval-sanitize-with solutions/sanitize.cfg
BIN = $(ENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
SETUP = @$(or $(PYTHON),$(MISSING)) tools/setup_env.py
.DEFAULT_GOAL := help
.PHONY: help run test test-all notebooks lab bench lint lock clean

help: ## list what can be done
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1 ## \2/p' Makefile | awk -F ' ## ' '{printf "  %-14s %s\n", $$1, $$2}'

run: ## install the core and carry the sample from sources to the quality report
	$(SETUP) --env $(ENV)
	$(BIN)/c360 run

test: ## install what tests need and run them, but for the slow ones
	$(SETUP) --env $(ENV) test course identity
	$(BIN)/python -m pytest -m "not slow" $(NBVAL)

test-all: ## run every test, slow ones too, and those of Spark in an environment of their own (needs Java 17)
	$(SETUP) --env $(ENV) test course identity
	$(SETUP) --env .venv-spark spark test identity
	.venv-spark/$(notdir $(BIN))/python -m pytest -m spark tests
	$(BIN)/python -m pytest $(NBVAL)

notebooks: ## build every notebook, and the pages made from the lessons, from solutions/*.py
	$(SETUP) --env $(ENV) course
	$(BIN)/python -m c360lib.course.builder

lab: ## copy the notebooks to work/ (never over yours) and open them in JupyterLab
	$(SETUP) --env $(ENV) course
	@$(BIN)/python tools/lab.py

bench: ## compare the engines with hand-written peers; takes a while
	$(SETUP) --env $(ENV) dev
	$(BIN)/python -m bench

lint: ## check style and types
	$(SETUP) --env $(ENV) dev course
	$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/python -m mypy

lock: ## bring requirements.lock up to date with pyproject.toml (UPGRADE=--upgrade for newer versions of everything)
	$(SETUP) --env $(ENV) dev
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE) \
		--custom-compile-command "make lock    (core and every extra but spark, which needs pandas 2.3: see pyproject.toml)" \
		--extra course --extra engines --extra identity --extra test --extra dev --output-file requirements.lock pyproject.toml

clean: ## remove environments, caches and build products; `c360 reset` removes generated data, and work/ is yours
	rm -rf .venv .venv-lint .venv-spark build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis spark-warehouse metastore_db derby.log
