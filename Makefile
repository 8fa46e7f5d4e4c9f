# Works on a fresh checkout with Python 3.11+ and make: every target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
PIN = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url

BENCH := .venv-bench
# Measured with the system's Python if it will do: like the official images' it is built with profile-guided optimisation,
# which one built by hand or by pyenv has only if it was asked for.
BENCH_PYTHON ?= $(or $(shell /usr/bin/python3 -c 'import ensurepip, sys; print(sys.executable) if sys.version_info >= (3, 11) else 0' 2>/dev/null),$(PYTHON))
PROMETHEUS ?= .prometheus/usr/bin
SERVICES ?= $(TEST_SERVICES)

.PHONY: help setup run test coverage chaos bench compose-test citus-test manifests rules dashboards audit-deps sbom check format lock clean page

help:  ## what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

setup: .venv/.ready  ## the virtual environment, from locked dependencies; .venv/bin/tccc is there after it

.venv/.ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with make PYTHON=python3.12")'
	@$(PYTHON) -m venv .venv
	@echo "installing locked dependencies into .venv (about a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: setup  ## the whole pipeline on this machine, until Ctrl-C
	@$(BIN)/tccc up $(ARGS)

test: setup  ## every test, on real Kafka and Postgres: ARGS="tests/contract -q" SERVICES=containers
	@TEST_SERVICES=$(SERVICES) $(BIN)/python -m pytest $(ARGS)

coverage: setup  ## the tests, and which lines they run, processes of their own included
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --fail-under=90

chaos: setup  ## break things on purpose, and account for every push: ARGS="--seed 1 --duration 600"
	@$(BIN)/python -m tests.chaos $(ARGS)

bench: $(BENCH)/.ready  ## cost and speed, measured beside the peers; writes docs/performance.md: ARGS="receiver worker --rounds 5"
	@$(BENCH)/bin/python -m tests.bench $(ARGS)

$(BENCH)/.ready: requirements/bench.txt pyproject.toml
	@$(BENCH_PYTHON) -m venv --clear $(BENCH)
	@echo "installing the project and its peers into $(BENCH) (about a minute the first time)"
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r requirements/bench.txt
	@touch $@

compose-test: setup  ## docker-compose.yml on a Docker engine: pushes, scaling, crashes, a broker less; ten minutes
	@$(BIN)/python -m pytest -s --timeout 900 tests/compose/one_broker.py tests/compose/three_brokers.py $(ARGS)

# What Citus refuses is skipped: triggers, and copying a database.
CITUS_TESTS := tests/citus tests/answers $(foreach name,store worker pipeline roles balance drift ledger audit trace dead \
  erase reconcile report doctor console,$(wildcard tests/integration/test_$(name).py))

citus-test: setup  ## the tests of the store, of the answers and of the commands on a Citus cluster: CITUS_URL=postgresql://…
	@test -n "$(CITUS_URL)" || { echo "make citus-test CITUS_URL=… (the coordinator, as a superuser)"; exit 2; }
	@CITUS_URL="$(CITUS_URL)" $(BIN)/python -m pytest $(CITUS_TESTS) $(ARGS)

manifests: setup  ## deploy/kubernetes against published schemas; needs Go, and its proxy the first time
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r requirements/manifests.txt
	@$(BIN)/python -m tests.manifests

rules: $(PROMETHEUS)/promtool  ## Prometheus' rules: each alert fires at its fault, and only then
	@$(PROMETHEUS)/promtool check rules deploy/prometheus/rules/*.yml
	@$(PROMETHEUS)/promtool test rules deploy/prometheus/tests/*.yml

dashboards: setup $(PROMETHEUS)/promtool  ## each query of Grafana's dashboards, on a pipeline, a Prometheus and a Postgres that are filled first
	@PATH="$(abspath $(PROMETHEUS)):$$PATH" $(BIN)/python -m tests.dashboards $(ARGS)

# Debian's package, unpacked without root. Elsewhere: make rules PROMETHEUS=/folder/with/prometheus/and/promtool
$(PROMETHEUS)/promtool:
	@mkdir -p .prometheus
	@cd .prometheus && apt-get download --quiet prometheus && dpkg -x prometheus_*.deb .
	@touch $@

page: setup  ## a report in Chromium, wide and narrow: ARGS="week --from 2026-03-02 --tz Asia/Shanghai"
	@$(BIN)/python -m tests.answers.page $(ARGS)

audit-deps: setup .venv/.supply  ## known vulnerabilities of what is pinned; asks PyPI's JSON service, which not every mirror has
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements/production.txt $(ARGS)

sbom: setup .venv/.supply  ## build/sbom.json: a CycloneDX bill of what a deployment installs
	@mkdir -p build
	@PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements requirements/production.txt --pyproject pyproject.toml \
	  --output-reproducible --of JSON -o build/sbom.json
	@$(BIN)/python -c 'import json; print("build/sbom.json:", len(json.load(open("build/sbom.json"))["components"]), "components")'

.venv/.supply: requirements/supply.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r requirements/supply.txt
	@touch $@

.PHONY: fuzz
fuzz: setup  ## a million bad inputs, of which none may end as none may: ARGS="--count 1000000 --seed 1 [--guided]"
	@$(if $(findstring --guided,$(ARGS)),$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r requirements/fuzz.txt)
	@$(BIN)/python -m tests.fuzz $(ARGS)

check: setup  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup  ## pin the dependencies anew, with hashes and without addresses
	$(PIN) --extra local --extra report --extra reconcile --extra tracing --output-file requirements/dev.txt requirements/dev.in pyproject.toml
	$(PIN) --constraints requirements/dev.txt --extra local --extra reconcile --extra tracing --output-file requirements/bench.txt requirements/bench.in pyproject.toml
	$(PIN) --constraints requirements/dev.txt --extra reconcile --extra tracing --output-file requirements/production.txt pyproject.toml
	$(PIN) --constraints requirements/dev.txt --output-file requirements/build.txt requirements/build.in
	$(PIN) --constraints requirements/dev.txt --output-file requirements/manifests.txt requirements/manifests.in
	$(PIN) --output-file requirements/fuzz.txt requirements/fuzz.in
	$(PIN) --constraints requirements/dev.txt --output-file requirements/supply.txt requirements/supply.in

clean:  ## remove what setup and the tests made; data in .tccc stays
	rm -rf .venv $(BENCH) .prometheus .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
