# Everything that this project does by hand. `make` alone explains; every target sets up what it needs.
# Needs git, make and a Python >= 3.11 with venv; choose one with `make PYTHON=python3.12 ...`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SETUP_LOG := $(VENV)/setup.log
UV_VERSION := 0.13.9

PYTHON ?=
JOBS ?= 2
# One more than cores: half of what `make test` takes is waiting for processes that the tests start.
TESTERS ?= 3
SEEDS ?= 1000
IMAGE ?= jada-orchestrator
LOCK ?= run
BUILD_FLAGS ?=
BUILDER ?=

# Folders that exist in this checkout, for tools that refuse names of missing ones.
CODE := $(wildcard src tests tools benchmarks)
FAST := $(wildcard $(addprefix tests/,architecture unit golden properties))

PYTEST := $(BIN)/python -m pytest --no-loadscope-reorder --quiet

.PHONY: help
help: ## Say what can be made
	@printf 'JADA orchestrator. The first two commands of a newcomer are `make demo` and `make test`.\n\n'
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16
	@printf '\nVariables: PYTHON=python3.12 (which interpreter), JOBS=2 (workers of check and storm), TESTERS=3 (of test), SEEDS=1000 (of storm), IMAGE=name[:tag].\n'

.PHONY: setup
setup: $(STAMP) ## Make .venv from the locked dependencies (again only when the locks change)

# The interpreter is run, not only looked up: a version manager's shim may exist and yet start nothing.
$(STAMP): requirements/dev.lock
	@suitable='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'; \
	if [ -x $(BIN)/python ] && $(BIN)/python -c "$$suitable" 2>/dev/null; then :; else \
	  chosen=; \
	  for candidate in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14); do \
	    if "$$candidate" -c "$$suitable" 2>/dev/null; then chosen=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$chosen" ]; then \
	    echo 'setup: no Python >= 3.11 with the modules venv and ensurepip among: $(or $(PYTHON),python3 python3.11 ... python3.14).' >&2; \
	    echo 'setup: install one (Debian and Ubuntu: python3 and python3-venv) or name it: make PYTHON=/path/to/python3.12 setup' >&2; \
	    exit 1; \
	  fi; \
	  echo "setup: making $(VENV) with $$("$$chosen" --version)"; \
	  "$$chosen" -m venv --clear $(VENV); \
	fi
	@echo 'setup: installing the locked dependencies (about a minute, once)'
	@{ $(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements/dev.lock && \
	   $(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e . ; } >$(SETUP_LOG) 2>&1 || \
	  { tail -n 20 $(SETUP_LOG) >&2; echo 'setup: installing failed; the whole story is in $(SETUP_LOG)' >&2; exit 1; }
	@touch $@

.PHONY: demo
demo: $(STAMP) ## Run several bookings at once on this machine alone: no account, no key
	@$(BIN)/jada demo

.PHONY: format
format: $(STAMP) ## Format the code and fix what ruff can fix by itself
	$(BIN)/ruff check --fix-only --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

.PHONY: lint
lint: $(STAMP) ## Check format, lint and types
	@failed=; \
	$(BIN)/ruff format --check --quiet $(CODE) || failed+=' format'; \
	$(BIN)/ruff check $(CODE) || failed+=' ruff'; \
	$(BIN)/mypy $(CODE) || failed+=' mypy'; \
	if [ -n "$$failed" ]; then echo "lint: failed:$$failed (\`make format\` repairs what can be repaired by itself)" >&2; exit 1; fi

.PHONY: check
check: lint ## The fast loop: lint, floors, unit tests and properties (< 60 s)
	$(PYTEST) -n $(JOBS) $(FAST)

.PHONY: test
test: lint ## Everything: check, and conformance, simulation, integration, system (< 10 min)
	$(PYTEST) -n $(TESTERS) tests

.PHONY: test-vm
test-vm: $(STAMP) ## The unit in virtual machines: limits in force, systemd 252 and 257 (root, minutes)
	TEST_VM=1 $(BIN)/python -m pytest --quiet --timeout 900 tests/system/test_virtual_machine.py

.PHONY: deploycheck
deploycheck: $(STAMP) ## Check Dockerfile (hadolint), CloudFormation (cfn-lint) and shell scripts (shellcheck)
	@[ -x build/checks/bin/cfn-lint ] || { $(BIN)/python -m venv build/checks && \
	  build/checks/bin/pip install -q --require-hashes -r requirements/checks.lock; }
	build/checks/bin/cfn-lint deploy/cloudformation/*.yaml
	build/checks/bin/hadolint Dockerfile
	build/checks/bin/shellcheck deploy/*.sh tests/system/*.sh

.PHONY: test-guide
test-guide: $(STAMP) ## Follow docs/install-lightsail.md in a clean Debian tree (root, network, minutes)
	tests/system/follow_guide.sh

.PHONY: bench
bench: $(STAMP) ## Measure what the README claims, on this machine
	$(BIN)/jada bench

.PHONY: storm
storm: $(STAMP) ## Simulate many seeded runs with faults and crashes: make storm SEEDS=100000
	$(BIN)/python -m jada_orchestrator.testing.storm --seeds $(SEEDS) --jobs $(JOBS)

.PHONY: docs
docs: $(STAMP) ## Generate again what is generated (schemas, diagrams, the journal's catalogue)
	@$(BIN)/python -m tools.generate_docs

# The image is built from the checkout alone, so what is tested is what is shipped. A builder must answer: a docker
# without its daemon builds nothing, and the next one may.
.PHONY: image
image: ## Build the container image with docker, podman or buildah
	@builder=; for candidate in $(or $(BUILDER),docker podman buildah); do \
	  if "$$candidate" info >/dev/null 2>&1; then builder=$$candidate; break; fi; done; \
	if [ -z "$$builder" ]; then echo 'image: needs docker, podman or buildah; none answers here (BUILDER=... chooses)' >&2; exit 1; fi; \
	format=; [ "$$builder" = docker ] || format='--format docker'; `# which keeps the HEALTHCHECK` \
	"$$builder" build $$format $(BUILD_FLAGS) -t $(IMAGE) --build-arg LOCK=$(LOCK) .

# One resolution for everything, so that the daemon runs on the very versions that were tested.
RESOLVE := build/uv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header

.PHONY: lock
lock: $(STAMP) ## Resolve the dependencies again (maintainers; UPGRADE=1 takes newer versions)
	@[ -x build/uv/bin/uv ] || { $(BIN)/python -m venv build/uv && build/uv/bin/pip install -q uv==$(UV_VERSION); }
	$(RESOLVE) pyproject.toml --all-extras $(if $(UPGRADE),--upgrade) -o requirements/dev.lock
	$(RESOLVE) pyproject.toml -c requirements/dev.lock $(if $(UPGRADE),--upgrade) -o requirements/run.lock
	$(RESOLVE) pyproject.toml --extra sandbox -c requirements/dev.lock $(if $(UPGRADE),--upgrade) -o requirements/sandbox.lock
	$(RESOLVE) pyproject.toml --extra postgres -c requirements/dev.lock $(if $(UPGRADE),--upgrade) -o requirements/postgres.lock
	$(RESOLVE) - -c requirements/dev.lock $(if $(UPGRADE),--upgrade) -o requirements/build.lock <<<hatchling
	$(RESOLVE) - $(if $(UPGRADE),--upgrade) -o requirements/peers.lock <<<$$'dbos\nlanggraph\nlanggraph-checkpoint-postgres\npsycopg[binary]'
	$(RESOLVE) - $(if $(UPGRADE),--upgrade) -o requirements/checks.lock <<<$$'cfn-lint\nhadolint-bin\nshellcheck-py'

.PHONY: clean
clean: ## Remove everything that was made here, .venv included
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find $(CODE) -type d -name __pycache__ -prune -exec rm -rf {} +
