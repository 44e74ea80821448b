# Sets everything up from a clean clone and runs it. `make help` says what there is.
# Needs Python 3.11+; the local stack also needs a JDK 17+ and Maven, which `referrals doctor` checks.

PYTHON ?= python3
UV_VERSION := 0.13.8
ATHERIS_VERSION := 3.0.0

BIN := .venv/bin
UV := build/uv-$(UV_VERSION)/bin/uv
INSTALLED := .venv/.installed
PROTOS := build/protos/descriptors.binpb
RELEASES := deploy/descriptors

# A step of `check`, named in the output before it runs.
step = @printf '\n== %s\n' '$(1)'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Compiled modules are kept, whatever the caller set: every process of ours starts in a third of the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Running it

.PHONY: demo up down
demo: ready ## Sixty concerns, from raised to closed, on a fresh local stack
	@$(BIN)/referrals demo

up: ready ## Start the local stack and leave it running
	@$(BIN)/referrals up

down: ready ## Stop what `up` started
	@$(BIN)/referrals down

## Testing it. No test may skip: what is missing fails (tests/conftest.py).

# Two processes. Half of the tests each, in order, so that what a file's tests share is mostly made once; who has
# finished takes from the other.
BY_HALVES := --numprocesses=2 --dist=worksteal
# Two processes, each with servers of its own: tests/conftest.py says which tests share them.
BY_SERVERS := --numprocesses=2 --dist=loadscope --no-loadscope-reorder

.PHONY: test unit integration e2e
test: ready ## Every test, from units to whole stacks
	@$(BIN)/pytest $(BY_HALVES) tests/unit tests/contract tests/architecture
	@$(BIN)/pytest $(BY_SERVERS) tests/integration tests/e2e

unit: ready ## The tests that need no server: seconds
	@$(BIN)/pytest $(BY_HALVES) tests/unit tests/contract tests/architecture

integration: ready ## The tests on a real broker and store
	@$(BIN)/pytest $(BY_SERVERS) tests/integration

e2e: ready ## The tests that drive a whole stack
	@$(BIN)/pytest tests/e2e

.PHONY: lifecycle-night
lifecycle-night: ready ## The life-cycle against its model, 100,000 random steps
	@LIFECYCLE_STEPS=100000 $(BIN)/pytest tests/unit/lifecycle/test_machine.py --timeout 7200

.PHONY: agreements-night
agreements-night: ready ## What agreements give, in 1,000,000 random cases, against a naive second implementation
	@DISCLOSURE_CASES=1000000 $(BIN)/pytest -n0 tests/unit/partner_routing/test_agreements.py --timeout 7200

.PHONY: chaos chaos-wired chaos-night chaos-three chaos-clocks chaos-fair chaos-storm
REFERRALS ?= 1500
FAULTS ?= 10

chaos: ready ## Load and faults on a whole stack; SEED=… repeats a schedule, REFERRALS=… FAULTS=…
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) --referrals $(REFERRALS) --faults $(FAULTS)

chaos-wired: ready ## Also broken links, full disks, injected failures, poison, and a rebuild at the end; DISKS=no without disks
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) --referrals $(REFERRALS) --faults $(FAULTS) --wired \
		$(if $(filter no,$(DISKS)),--without-disks)

chaos-night: ready ## All of it at full size, hours: kills, wired, three, clocks, storm, fair, the log, fuzz; PARTS=… only these
	@$(BIN)/python -m tests.chaos.night $(if $(SEED),--seed $(SEED)) $(if $(PARTS),--only $(PARTS))

chaos-three: ready ## Three brokers, of which one loses its data again and again; SEED=… REFERRALS=… FAULTS=…
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) --referrals $(REFERRALS) --faults $(FAULTS) --brokers 3

chaos-clocks: ready ## Services' clocks a day ahead and behind, by libfaketime; SEED=… REFERRALS=… FAULTS=…
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) --referrals $(REFERRALS) --faults $(FAULTS) --clocks

chaos-storm: ready ## Ten repeats of each of 10,000 submissions and other bodies, while intake, store and broker die; SEED=…
	@$(BIN)/python -m tests.chaos.storm $(if $(SEED),--seed $(SEED))

chaos-fair: ready ## One sender at seven times everyone's load: what the others feel of it; LASTS=… seconds a round, ROUNDS=…
	@$(BIN)/python -m tests.chaos.fairness $(if $(LASTS),--seconds $(LASTS)) $(if $(ROUNDS),--rounds $(ROUNDS))

.PHONY: fuzz fuzz-night fuzz-guided
CASES ?= 100000

fuzz: ready ## Hostile input to every decoder, decider and RPC; SEED=… repeats it, CASES=…
	@$(BIN)/python -m tests.fuzz $(if $(SEED),--seed $(SEED)) --cases $(CASES)

fuzz-night: ready ## The same at full size: ten million cases
	@$(BIN)/python -m tests.fuzz $(if $(SEED),--seed $(SEED)) --cases 10000000

# What it finds worth keeping stays in build/fuzz-guided, where the next run begins. More than 512 MiB in all, three times
# what it begins with, or 25 s for one case end it as a defect does.
fuzz-guided: ready ## The same cases steered by coverage: atheris (from PyPI, for this run alone); SEED=… CASES=…
	@mkdir -p build/fuzz-guided
	@$(UV) run --quiet --frozen --no-sync --with atheris==$(ATHERIS_VERSION) \
		python -m tests.fuzz.guided -runs=$(CASES) $(if $(SEED),-seed=$(SEED)) -max_len=2048 -len_control=0 \
		-rss_limit_mb=512 -timeout=25 -artifact_prefix=build/ -print_final_stats=1 build/fuzz-guided

## Measuring it

.PHONY: bench bench-quick bench-night
bench: benched ## Beside the peers, in full: writes docs/performance.md and build/bench.json
	@$(BIN)/python -m tests.performance

bench-quick: ready ## Rows 1, 3, 4 and 5 in some two minutes, at 0.8 of each goal
	@$(BIN)/python -m tests.performance --quick

bench-night: ready ## Row 9 alone, with up to 1,000,000 stored referrals: hours
	@$(BIN)/python -m tests.performance --night

.PHONY: match-report
match-report: ready ## Precision and recall of linking, on invented referrals; writes docs/matching.md
	@$(BIN)/python -m tests.matching

.PHONY: benched
benched: ready
	@UV_PYTHON_DOWNLOADS=never $(UV) sync --quiet --frozen --all-extras --group bench --python $(dir $(UV))python

## Checking it

.PHONY: check
check: ready ## Format, lint, types, architecture, protos, compose file
	$(call step,ruff format: one format)
	@$(BIN)/ruff format --check
	$(call step,ruff: lint)
	@$(BIN)/ruff check
	$(call step,mypy: strict types)
	@$(BIN)/mypy
	$(call step,import-linter: who may import whom)
	@$(BIN)/lint-imports --no-logo
	$(call step,buf lint: the published language is well formed and commented)
	@$(BIN)/buf lint
	$(call step,buf breaking: readers of the last release still can read)
	@release=$$(ls $(RELEASES)/*.binpb 2>/dev/null | sort -V | tail -n 1); \
	if [ -z "$$release" ]; then echo "no release in $(RELEASES) yet: nothing to compare with"; \
	else echo "compared with $$release" && $(BIN)/buf breaking $(PROTOS) --against "$$release"; fi
	$(call step,check-jsonschema: docker-compose.yml keeps the Compose schema)
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

## Making it

.PHONY: protos lifecycle events ready clean
lifecycle: ready ## Write docs/lifecycle.md from the table of the life-cycle
	@$(BIN)/python deploy/make_lifecycle.py

events: ready ## Write docs/events.md, the catalogue of events, from the protos and the topics
	@$(BIN)/python deploy/make_events.py

protos: $(PROTOS) ## Generate build/protos from protos/

ready: $(INSTALLED) $(PROTOS)

# Folders are listed too: a file taken away changes its folder's time.
$(PROTOS): $(shell find protos/) deploy/make_protos.py $(INSTALLED)
	@$(BIN)/python deploy/make_protos.py
	@touch $@

$(INSTALLED): $(UV) uv.lock pyproject.toml deploy/hatch_build.py
	@UV_PYTHON_DOWNLOADS=never $(UV) sync --quiet --frozen --all-extras --python $(dir $(UV))python
	@touch $@

$(UV):
	@echo 'getting uv $(UV_VERSION)'
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one by PYTHON=")'
	@rm -rf build/uv-* && $(PYTHON) -m venv build/uv-$(UV_VERSION)
	@$(dir $(UV))python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

clean: ## Remove what was built here; keeps .local, the stack's data
	@if [ -x $(BIN)/referrals ] && [ -e .local/stack.json ]; then $(BIN)/referrals down; fi
	rm -rf build dist .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find services tests deploy -name __pycache__ -type d -prune -exec rm -rf {} +
