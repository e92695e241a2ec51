# Every habit of the workspace has one name. CONTRIBUTING.md says when to use which.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
PROJECTS := $(sort $(wildcard core/pyproject.toml plugins/*/pyproject.toml plugins-contrib/*/pyproject.toml hostapp/pyproject.toml))
FOLDERS := $(PROJECTS:/pyproject.toml=)
TYPED := $(wildcard $(FOLDERS:%=%/src) $(FOLDERS:%=%/tests) docs tests)
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup

.PHONY: help setup run test check rows attacks chaos fuzz bench soak docs tools coverage mutation lock clean
.DEFAULT_GOAL := help

help: ## Say what there is (this)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## Make .venv, with everything that is locked and our own distributions, editable

run: $(READY) ## Start the service on a development issuer and exchange a credential; ONCE=1: then end; ARGS="--port 8000"
	@$(BIN)/cambist dev $(if $(ONCE),--once) $(ARGS)

test: $(READY) ## Run all tests; ARGS="-k scope" goes to pytest
	@$(PYTEST) $(ARGS)

check: $(READY) ## Lint, format, types and layers
	@$(BIN)/ruff check -q . && $(BIN)/ruff format -q --check .
	@$(BIN)/mypy $(TYPED) && $(BIN)/lint-imports --no-logo

rows: $(READY) ## Run all tests, say which promises they prove, and write docs/reference/conformance.md
	@$(PYTEST) --rows docs/reference/conformance.md

chaos: $(READY) ## Kill, starve and mislead a service for N rounds, and count what it did not keep; ARGS="--page" writes the page
	@PYTHONPATH=tests $(BIN)/python -m chaos $(or $(N),100) $(ARGS)

fuzz: $(READY) ## Send N good requests with a few things changed, judge every answer, and weigh the workers; ARGS="--server uvicorn"
	@PYTHONPATH=tests $(BIN)/python -m fuzz $(or $(N),100000) $(ARGS)

bench: $(READY) ## Measure an exchange beside its floor and beside oidc-provider; ARGS="--only process" for half of it (needs wrk)
	@PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

soak: $(READY) ## Ask RATE=200 times a second for SECONDS=300, with a rotation, other rules and an outage in the midst; ARGS="--page"
	@PYTHONPATH=tests $(BIN)/python -m bench.soak $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RATE),--rate $(RATE)) $(ARGS)

attacks: $(READY) ## Play sets of attacks against the real service; CORPORA=folder, SERVER=hypercorn or uvicorn, ARGS="--only jose-attacks"
	@PYTHONPATH=tests $(BIN)/python -m attacks $(if $(CORPORA),--corpora $(CORPORA)) $(if $(SERVER),--server $(SERVER)) $(ARGS)

docs: $(READY) ## Generate the reference pages from the code, and build all pages as a site in build/site
	@$(BIN)/python docs/generate.py && NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

tools: $(READY) ## Bring the real parts that tests use (OPA, npm packages) into CAMBIST_TOOLS, by default ~/.cache/cambist/tools
	@$(BIN)/python tests/tools/bring.py

coverage: $(READY) ## Run all tests and report the lines that none of them reached, for each distribution
	@$(BIN)/coverage erase && $(BIN)/coverage run -m pytest -n 2 --dist loadgroup $(ARGS) && $(BIN)/coverage combine -q
	@for folder in $(FOLDERS); do echo; echo "$$folder"; $(BIN)/coverage report --include "$$folder/src/*"; done

mutation: $(READY) ## Change what judges, one thing at a time, and say which changes no test notices; ARGS="cambist.guard"
	@PYTHONPATH=tests $(BIN)/python -m mutation $(ARGS)

lock: $(READY) ## Pin anew what all distributions and their tests need: requirements.lock and tests/tools/package-lock.json
	@$(PYTHON) -m venv .venv/uv && .venv/uv/bin/pip install -q uv==0.13.9
	@$(BIN)/python tests/tools/requirements.py > .venv/requirements.in
	@.venv/uv/bin/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate .venv/requirements.in -o requirements.lock
	@npm install --prefix tests/tools --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --silent

clean: ## Remove what the other targets made in the tree
	@rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* .run
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit("cambist needs Python 3.11 or newer: make PYTHON=python3.11 ..." if sys.version_info < (3, 11) else 0)'
	@echo "setting up .venv, which takes some minutes, once"
	@$(PYTHON) -m venv .venv && $(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-build-isolation --no-deps $(FOLDERS:%=-e ./%) && touch $@
