# What a newcomer does; `make` alone lists it.

.DEFAULT_GOAL := help
.ONESHELL:
.SILENT:
.DELETE_ON_ERROR:
SHELL := /bin/sh
.SHELLFLAGS := -euc

BIN := .venv/bin
# One thread each, as in the nights.
BENCH := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m
INSTALLED := .venv/installed
INSTALLED_DEV := .venv/installed-dev

# Which interpreter makes .venv (by default the first that fits), and which file the demo reads.
PYTHON ?=
DATA ?=
# Which file `make operations` reads.
export RETAIL ?=
# How often `make chaos` kills each kind of process, and for how many minutes at most.
KILLS ?= 100
MINUTES ?= 40
SEED ?=
# How many stories `make interleavings` tells.
STORIES ?= 200
# As it was given: neither make nor the shell reads anything into it.
export DATA := $(value DATA)
UPGRADE ?=

.PHONY: help venv demo test lint bench bench-registry bench-housekeeping bench-judging bench-pages bench-operations operations chaos interleavings up down status lock clean

help: ## list the targets
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED) ## three nights on this machine; DATA=PATH for the UCI Online Retail file
	$(BIN)/recfleet demo $${DATA:+--data "$$DATA"}

test: lint ## install what tests need, check style and types, run the tests
	$(BIN)/pytest -n 2

lint: $(INSTALLED_DEV) ## check style and types only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(INSTALLED_DEV) ## measure the fleet's night (about an hour; docs/benchmarks.md)
	$(BIN)/python -m benchmarks.fleet all $${TENANTS:+--tenants "$$TENANTS"}

bench-registry: $(INSTALLED_DEV) ## 4,000 models of 100 runs: how fast MLflow's pages answer; 5 minutes
	$(BENCH) benchmarks.registry

bench-housekeeping: $(INSTALLED_DEV) ## fifty nights of 200 tenants: does anything still grow; 8 minutes
	$(BENCH) benchmarks.housekeeping

bench-pages: $(INSTALLED_DEV) ## 4,000 and 40,000 tenants: how fast the Fleet page answers; 3 minutes
	$(BENCH) benchmarks.pages

bench-operations: $(INSTALLED_DEV) ## 400 tenants: how long a person waits for rollback, modes, doctor, audit; 3 minutes
	$(BENCH) benchmarks.operations

bench-judging: $(INSTALLED_DEV) ## how right the judge is, into docs/judging.md; 13 minutes
	$(BENCH) benchmarks.judging

operations: $(INSTALLED_DEV) ## what people do by day, over real purchases; RETAIL=PATH, 8 minutes
	RECFLEET_OPERATIONS=1 RECFLEET_ONLINE_RETAIL="$${RETAIL:?name the UCI Online Retail file: make operations RETAIL=PATH}" \
		$(BIN)/pytest tests/cli/test_bad_morning.py tests/cli/test_operations.py

chaos: $(INSTALLED_DEV) ## kill stages, scheduler and Postgres in nights; KILLS, MINUTES, SEED
	nice -n 15 $(BIN)/python -m tests.chaos --kills '$(KILLS)' --minutes '$(MINUTES)' $(if $(SEED),--seed '$(SEED)')

interleavings: $(INSTALLED_DEV) ## people and nights in many orders: does the doctor agree; STORIES, a second or two each
	RECFLEET_INTERLEAVINGS='$(STORIES)' nice -n 15 $(BIN)/pytest tests/operations/test_interleavings.py -q --timeout 0

up: $(INSTALLED) ## start Postgres, MLflow and Airflow in the background
	$(BIN)/recfleet up

down: ## stop what demo and up started; all data stays
	if [ -x $(BIN)/recfleet ]; then $(BIN)/recfleet down; else echo 'Nothing was running.'; fi

status: $(INSTALLED) ## show what runs, where, and its log
	$(BIN)/recfleet status || [ $$? -eq 1 ]

venv: $(INSTALLED) ## make .venv from requirements.lock; PYTHON=PATH chooses the interpreter

lock: $(INSTALLED) ## bring requirements.lock up to pyproject.toml; UPGRADE=1 for newer versions
	$(BIN)/uv pip compile pyproject.toml --quiet $(if $(UPGRADE),--upgrade) --universal --python-version 3.11 \
		--all-extras --no-emit-index-url --no-annotate --custom-compile-command 'make lock' \
		--output-file requirements.lock

clean: down ## stop everything, then remove .venv and .recfleet with all data in it
	echo 'Removing .venv and .recfleet, with every database and model in it.'
	rm -rf .venv .recfleet

fits = -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null

comma := ,

# uv reads the lock in seconds. Where it cannot reach an index (a mirror that only pip is told
# of), pip does the same, slowly.
define install
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c requirements.lock -e '$(1)' || {
		echo 'uv could not install it; trying pip, which takes some minutes.'
		$(BIN)/python -m pip install --quiet --disable-pip-version-check \
			-c requirements.lock -e '$(1)'
	}
endef

$(INSTALLED): pyproject.toml requirements.lock
	python='$(PYTHON)'
	if [ -n "$$python" ]; then
		"$$python" $(fits) || { echo "PYTHON=$$python is not a Python 3.11 or 3.12." >&2; exit 2; }
		rm -rf .venv
	else
		for candidate in python3.12 python3.11 python3; do
			if "$$candidate" $(fits); then python=$$candidate; break; fi
		done
	fi
	if ! $(BIN)/python $(fits) || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then
		if [ -z "$$python" ]; then
			echo 'Python 3.11 or 3.12 is needed and neither was found; name one with PYTHON=PATH.' >&2
			exit 2
		fi
		if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then
			echo "$$python cannot make environments: its venv and ensurepip are missing." >&2
			echo 'On Debian and Ubuntu the package python3-venv brings them.' >&2
			exit 2
		fi
		echo "Making .venv with $$("$$python" --version)."
		rm -rf .venv
		"$$python" -m venv .venv
	fi
	echo 'Installing what requirements.lock lists into .venv; the first time takes minutes.'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock uv
	$(call install,.)
	touch $@

# The pages are tested in a browser, which is no Python package.
browser = for name in "$${RECFLEET_CHROMIUM:-}" chromium chromium-browser google-chrome chrome; do \
		if [ -n "$$name" ] && command -v "$$name" >/dev/null; then found=yes; fi; \
	done; [ -n "$${found:-}" ]

$(INSTALLED_DEV): $(INSTALLED)
	echo 'Installing what the tests need.'
	$(call install,.[celery$(comma)dev])
	if ! { $(browser); }; then
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
			echo 'Installing Chromium from the system'"'"'s packages, for the tests of the pages.'
			{ apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null 2>&1 || true
		fi
		$(browser) || echo 'There is no Chromium: the pages are not tested in a browser (on Debian: apt-get install chromium).'
	fi
	touch $@
