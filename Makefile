# What a newcomer runs; `make` alone lists the targets.

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

# The interpreter for .venv (default: the first that fits), and the file that the demo reads.
PYTHON ?=
DATA ?=
# The file that `make operations` and `make bench-quality` read.
export RETAIL ?=
# How often `make chaos` kills each kind of process, and its longest duration in minutes.
KILLS ?= 100
MINUTES ?= 40
# How long `make chaos-api` sends requests.
API_MINUTES ?= 10
# The parts of `make bench-api`: sql, peak, lists, baskets, models.
PARTS ?=
SEED ?=
# The folder of a running stack for `make attack`.
STACK ?=
# The number of stories that `make interleavings` tries.
STORIES ?= 200
# With it, each process compiles Airflow and MLflow anew, and takes three times as long to start.
unexport PYTHONDONTWRITEBYTECODE
# Which tests `make quick` runs.
QUICK := not airflow and not browser and not mlflow and not slow
# Unexpanded, so that neither make nor the shell interprets the path.
export DATA := $(value DATA)
UPGRADE ?=

.PHONY: help venv demo test quick lint bench bench-registry bench-housekeeping bench-judging bench-pages bench-row-security bench-api bench-ingest bench-events bench-pairs bench-baskets contract bench-operations bench-quality bench-attribution bench-served bench-first bench-replay bench-warm bench-experiments operations attack chaos chaos-api interleavings cluster up down status lock clean

help: ## list these targets
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED) ## run three nights on this machine; DATA=PATH for the UCI Online Retail file
	$(BIN)/recfleet demo $${DATA:+--data "$$DATA"}

# The tests wait for services now and then, so the type checker runs beside them.
test: $(INSTALLED_DEV) ## install what the tests need, check style and types, run the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	types=$$(mktemp)
	$(BIN)/mypy >"$$types" 2>&1 &
	checker=$$!
	trap 'kill $$checker 2>/dev/null || true; rm -f "$$types"' EXIT
	code=0
	$(BIN)/pytest -n 2 || code=$$?
	wait $$checker || code=$$?
	cat "$$types"
	exit $$code

quick: $(INSTALLED_DEV) ## what to run while working: no Airflow, no browser, nothing slow; 3 minutes
	$(BIN)/ruff check
	$(BIN)/pytest -q -n 2 -m '$(QUICK)'

lint: $(INSTALLED_DEV) ## check style and types only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(INSTALLED_DEV) ## measure the fleet's night, see docs/benchmarks.md; about an hour
	$(BIN)/python -m benchmarks.fleet all $${TENANTS:+--tenants "$$TENANTS"}

bench-registry: $(INSTALLED_DEV) ## measure MLflow's pages with 4,000 models of 100 runs; 5 minutes
	$(BENCH) benchmarks.registry

bench-housekeeping: $(INSTALLED_DEV) ## run fifty nights of 200 tenants, check that no table keeps growing; 8 minutes
	$(BENCH) benchmarks.housekeeping

bench-pages: $(INSTALLED_DEV) ## measure the Fleet page with 4,000 and 40,000 tenants; 3 minutes
	$(BENCH) benchmarks.pages

bench-quality: $(INSTALLED_DEV) ## count false quarantines of real shops, and faults seen; RETAIL=PATH, 6 minutes
	$(BENCH) benchmarks.quality_replay "$${RETAIL:?name the UCI Online Retail file: make bench-quality RETAIL=PATH}"

bench-row-security: $(INSTALLED_DEV) ## measure a look-up with row security beside one without; 1 minute
	$(BENCH) benchmarks.row_security

bench-api: $(INSTALLED_DEV) ## measure lists and baskets over SQL and HTTP, 4,000 tenants; PARTS, 3 minutes
	$(BENCH) benchmarks.api $(if $(PARTS),--parts $(PARTS))

bench-ingest: $(INSTALLED_DEV) ## measure loading: 3 million lines beside COPY, 4,000 small files, a day of all; 5 minutes
	$(BENCH) benchmarks.ingest

bench-events: $(INSTALLED_DEV) ## measure events of files: a million JSON lines, a million of CSV, once more; 3 minutes
	$(BENCH) benchmarks.events

bench-pairs: $(INSTALLED_DEV) ## measure the lists of pairs and a book's way beside; RETAIL=PATH, 2 minutes
	$(call install,.[celery$(comma)dev$(comma)pairs])
	RECFLEET_ONLINE_RETAIL="$${RETAIL:?name the UCI Online Retail file: make bench-pairs RETAIL=PATH}" \
		OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BENCH) benchmarks.pairs

bench-baskets: $(INSTALLED_DEV) ## compare baskets by taste with baskets by the blend, one product left out; RETAIL=PATH, 2 minutes
	RECFLEET_ONLINE_RETAIL="$${RETAIL:?name the UCI Online Retail file: make bench-baskets RETAIL=PATH}" \
		$(BENCH) benchmarks.baskets

contract: $(INSTALLED_DEV) ## send the HTTP service many requests of each kind, by its OpenAPI document; 10 minutes
	RECFLEET_CONTRACT_EXAMPLES=300 $(BIN)/pytest -q tests/serving/test_contract.py

bench-operations: $(INSTALLED_DEV) ## measure rollback, modes, doctor and audit with 400 tenants; 3 minutes
	$(BENCH) benchmarks.operations

bench-judging: $(INSTALLED_DEV) ## measure how often the judge is right, write docs/judging.md; 13 minutes
	$(BENCH) benchmarks.judging

bench-attribution: $(INSTALLED_DEV) ## compare what is attributed and estimated with simulated truth, write docs/simulation.md; 6 minutes
	$(BENCH) benchmarks.attribution

bench-served: $(INSTALLED_DEV) ## measure lists on the purchases that came after, write docs/served.md; 10 minutes
	$(BENCH) benchmarks.served

bench-warm: $(INSTALLED_DEV) ## compare sixty nights of warm fits with cold ones, write docs/warm.md; 35 minutes
	$(BENCH) benchmarks.warm

bench-experiments: $(INSTALLED_DEV) ## measure false calls, waiting, regret and harm of experiments, write docs/experiments.md; half an hour of a busy core
	$(BENCH) benchmarks.experiments

bench-first: $(INSTALLED_DEV) ## measure what the rule for first models costs on real shops; 6 minutes
	$(BENCH) benchmarks.served.first

bench-replay: $(INSTALLED_DEV) ## replay twelve weekly nights of real shops, what is served beside the newest model; 10 minutes
	$(BENCH) benchmarks.served.replay

operations: $(INSTALLED_DEV) ## test what people do by day, over real purchases; RETAIL=PATH, 8 minutes
	RECFLEET_OPERATIONS=1 RECFLEET_ONLINE_RETAIL="$${RETAIL:?name the UCI Online Retail file: make operations RETAIL=PATH}" \
		$(BIN)/pytest tests/cli/test_bad_morning.py tests/cli/test_operations.py

attack: $(INSTALLED_DEV) ## attack a stack as five persons do, which it starts and stops; STACK=FOLDER for a running one
	$(BIN)/python -m tests.attack $(if $(STACK),--home '$(STACK)')

chaos: $(INSTALLED_DEV) ## kill stages, scheduler and Postgres during nights; KILLS, MINUTES, SEED
	nice -n 15 $(BIN)/python -m tests.chaos --kills '$(KILLS)' --minutes '$(MINUTES)' $(if $(SEED),--seed '$(SEED)')

chaos-api: $(INSTALLED_DEV) ## kill the HTTP service during calls, Postgres restarts and a night; API_MINUTES, 15 minutes
	nice -n 15 $(BIN)/python -m tests.chaos.day --minutes '$(API_MINUTES)'

interleavings: $(INSTALLED_DEV) ## mix people's changes and nights in many orders, ask the doctor; STORIES, 1-2 s each
	RECFLEET_INTERLEAVINGS='$(STORIES)' nice -n 15 $(BIN)/pytest tests/operations/test_interleavings.py -q --timeout 0

cluster: $(INSTALLED_DEV) ## docker-compose.yaml in real containers, one worker killed; Docker or Podman, 25 minutes
	if ! command -v docker >/dev/null || ! docker info >/dev/null 2>&1; then
		$(call install,.[celery$(comma)dev$(comma)cluster])
		if ! command -v podman >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
			echo 'Installing Podman from the system'"'"'s packages.'
			{ apt-get update -qq && apt-get install -y -qq --no-install-recommends podman runc \
				netavark aardvark-dns catatonit iptables debootstrap; } >/dev/null 2>&1 || true
		fi
	fi
	exec $(BIN)/python -m tests.cluster

up: $(INSTALLED) ## start Postgres, MLflow, Airflow and the HTTP service in the background
	$(BIN)/recfleet up

down: ## stop what demo and up started; keep all data
	if [ -x $(BIN)/recfleet ]; then $(BIN)/recfleet down; else echo 'Nothing was running.'; fi

status: $(INSTALLED) ## show what runs, where, and its log
	$(BIN)/recfleet status || [ $$? -eq 1 ]

venv: $(INSTALLED) ## create .venv from requirements.lock; PYTHON=PATH chooses the interpreter

lock: $(INSTALLED) ## update requirements.lock from pyproject.toml; UPGRADE=1 for newer versions
	$(BIN)/uv pip compile pyproject.toml --quiet $(if $(UPGRADE),--upgrade) --universal --python-version 3.11 \
		--all-extras --no-emit-index-url --no-annotate --custom-compile-command 'make lock' \
		--output-file requirements.lock

clean: down ## stop everything, then delete .venv and .recfleet with all its data
	echo 'Deleting .venv and .recfleet, with every database and model in it.'
	rm -rf .venv .recfleet

fits = -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null

comma := ,

# uv installs the lock in seconds. If it cannot reach an index (for example, a mirror configured
# for pip only), pip does the same, slowly.
define install
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c requirements.lock -e '$(1)' || {
		echo 'uv could not install the packages; trying pip, which takes some minutes.'
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
			echo 'recfleet needs Python 3.11 or 3.12, and found neither; name one with PYTHON=PATH.' >&2
			exit 2
		fi
		if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then
			echo "$$python cannot create environments: its modules venv and ensurepip are missing." >&2
			echo 'On Debian and Ubuntu, install the package python3-venv.' >&2
			exit 2
		fi
		echo "Creating .venv with $$("$$python" --version)."
		rm -rf .venv
		"$$python" -m venv .venv
	fi
	echo 'Installing the packages of requirements.lock into .venv; the first time takes minutes.'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock uv
	$(call install,.)
	touch $@

# The tests of the pages need a browser, which pip cannot install.
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
		$(browser) || echo 'Chromium is missing: the browser tests of the pages will be skipped (on Debian: apt-get install chromium).'
	fi
	touch $@
